import ConclaveCore

/// A guarded write takes effect only while its grant is live, and never after that of a newer grant.
///
/// Source: DESIGN section 8, S3. The value that is written is the holder's token.
struct GuardedWrites: RecipeJudge {
    static let name = "S3: guarded writes happen only while the grant is live"

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places {
            let holds = run.holds(at: place)
            var highest = TokenHeights()
            for (write, token) in BareWrites.tokens(run, at: place.guardedOutput) {
                guard let hold = holds.first(where: { $0.holding.token == token }) else {
                    return "\(write.zxid) wrote for token \(token), which nobody was given"
                }
                guard hold.seenAt <= write.zxid, write.zxid < run.end(of: hold) else {
                    return "\(write.zxid) wrote for \(hold.holding.node), which held up to \(run.end(of: hold))"
                }
                if let other = highest.overtaking(hold.holding, orEqual: false) {
                    return "\(write.zxid) wrote for token \(token) after \(other)"
                }
                highest.note(hold.holding)
            }
        }
        return nil
    }
}

/// Writes of holders without a guard: nothing is promised about them; how many came late shows what the guard is for.
enum BareWrites {
    /// The writes to a node, with the tokens that they carried.
    static func tokens(_ run: RecipeCase, at path: String) -> [(write: RecipeHistory.Write, token: Zxid)] {
        run.history.writes.filter { $0.path == path }.compactMap { write in
            var reader = ByteReader(write.value)
            return (try? reader.readInt64()).map { (write, Zxid(rawValue: $0)) }
        }
    }

    /// Writes that took effect after one with a higher token.
    static func overtaken(_ run: RecipeCase) -> Int {
        run.scenario.places.reduce(0) { sum, place in
            var highest = Zxid.zero
            return sum
                + tokens(run, at: place.bareOutput).count { _, token in
                    defer { highest = max(highest, token) }
                    return token < highest
                }
        }
    }
}
