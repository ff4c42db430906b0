import ConclaveCore

/// The nodes of a double barrier, those of Curator and kazoo.
///
/// ```
/// path                   a container
/// ├─ 1f0e…-…             ephemeral: a member; its data is its identity
/// └─ ready               persistent: all have entered
/// ```
package struct DoubleBarrierNodes: Hashable, Sendable {
    package let path: String
    /// The name of the own node: an id.
    package let member: String

    package init(path: String, member: String) {
        self.path = path
        self.member = member
    }

    package static let readyName = "ready"
    /// What `ready` says when a member has gone before all were there.
    package static let broken = Array("broken".utf8)

    package var ready: String { NodePath.text(of: Self.readyName, below: path) }
    package var own: String { NodePath.text(of: member, below: path) }

    package func node(_ name: String) -> String { NodePath.text(of: name, below: path) }

    /// The members among the children, in order.
    package static func members(_ children: [String]) -> [String] { children.filter { $0 != readyName }.sorted() }
}
