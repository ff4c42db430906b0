/// Where a contender stands among the children of its parent: what a listing tells.
package struct QueuePlace: Hashable, Sendable {
    /// The last one before it that excludes it; `nil` if it may hold.
    package let obstacle: ContenderName?
    /// How many are before it that exclude it.
    package let ahead: Int
    /// Whether something that the asking task tree holds is before it, so that waiting would never end.
    package let isBehindOwnHold: Bool

    /// Finds the place; `nil` if the contender is not among the names.
    ///
    /// - Parameters:
    ///   - isShared: whether others that are shared do not exclude it.
    ///   - names: the children's names, in any order; those that do not contend are passed over.
    ///   - ownHolds: names of nodes that the task tree holds.
    package init?(of own: ContenderName, isShared: Bool, among names: [String], ownHolds: Set<String> = []) {
        var isPresent = false
        var nearest: ContenderName?
        var ahead = 0
        var isBehindOwnHold = false
        for text in names {
            if text == own.text {
                isPresent = true
                continue
            }
            guard let other = ContenderName(text), other < own else { continue }
            if ownHolds.contains(text) { isBehindOwnHold = true }
            guard !(isShared && other.isShared) else { continue }
            ahead += 1
            if let known = nearest, other < known { continue }
            nearest = other
        }
        guard isPresent else { return nil }
        obstacle = nearest
        self.ahead = ahead
        self.isBehindOwnHold = isBehindOwnHold
    }
}
