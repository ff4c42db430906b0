/// Finds the name that somebody probably meant.
package enum NearestName {
    /// The candidate that differs least from a name, if it differs little enough to be a slip of the hand.
    ///
    /// Case does not count. Cost: product of the lengths for every candidate; only the first 64 characters are compared.
    package static func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
        let name = Array(name.lowercased().unicodeScalars.prefix(64))
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(name, Array(candidate.lowercased().unicodeScalars.prefix(64)))
            guard distance <= max(1, candidate.unicodeScalars.count / 3) else { continue }
            if let found = best, (found.distance, found.candidate) <= (distance, candidate) { continue }
            best = (candidate, distance)
        }
        return best?.candidate
    }

    /// How many characters must be put in, taken out, replaced or swapped with their neighbour.
    private static func distance(_ left: [Unicode.Scalar], _ right: [Unicode.Scalar]) -> Int {
        var beforeLast = Array(0...right.count)
        var last = beforeLast
        for (i, a) in left.enumerated() {
            var row = last
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                row[j + 1] = min(last[j] + (a == b ? 0 : 1), last[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, a == right[j - 1], left[i - 1] == b {
                    row[j + 1] = min(row[j + 1], beforeLast[j - 1] + 1)
                }
            }
            (beforeLast, last) = (last, row)
        }
        return last[right.count]
    }
}
