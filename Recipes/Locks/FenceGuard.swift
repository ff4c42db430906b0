/// The resource's side of fencing: refuses tokens below the highest seen (S4).
///
/// Keep one per protected thing, next to it: in the same transaction, file or actor as the data, and store
/// ``highest`` with it, for a guard that forgets protects nothing. A value without a lock of its own: whoever
/// serialises access to the data serialises access to its guard.
///
/// ```swift
/// try fence.admit(token)        // throws StaleToken for a holder that has been overtaken
/// apply(write)
/// ```
public struct FenceGuard: Hashable, Sendable, Codable {
    /// The highest token admitted so far; `nil` before the first.
    public private(set) var highest: FencingToken?

    /// Takes up where a stored guard left off.
    public init(highest: FencingToken? = nil) { self.highest = highest }

    /// Admits a token that is at least the highest seen and remembers it; throws for an older one and changes nothing.
    ///
    /// The same token may come any number of times: a holder writes more than once.
    public mutating func admit(_ token: FencingToken) throws(StaleToken) {
        if let highest, token < highest { throw StaleToken(token: token, highest: highest) }
        highest = token
    }
}

/// A write that came with the token of a holder that has been overtaken by a newer one.
public struct StaleToken: Error, Hashable, Sendable, CustomStringConvertible {
    /// The token that came.
    public let token: FencingToken
    /// The highest token seen before.
    public let highest: FencingToken

    /// A sentence for people.
    public var description: String { "fencing token \(token) is older than \(highest)" }
}
