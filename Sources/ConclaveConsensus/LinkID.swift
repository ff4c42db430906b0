/// One connection between two servers; never used again for another.
package struct LinkID: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt64

    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

extension LinkID: Comparable {
    package static func < (left: LinkID, right: LinkID) -> Bool { left.rawValue < right.rawValue }
}

extension LinkID: CustomStringConvertible {
    package var description: String { "link \(rawValue)" }
}
