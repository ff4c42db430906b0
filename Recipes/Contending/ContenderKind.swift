/// What stands between the id and the number in the name of a contender's node: Curator's words, so that its clients
/// and ours contend together.
package enum ContenderKind: String, Sendable {
    case lock = "lock-"
    case read = "__READ__"
    case write = "__WRIT__"
    case latch = "latch-"

    package var isShared: Bool { self == .read }
}
