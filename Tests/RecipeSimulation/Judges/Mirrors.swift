import ConclaveCore
import Recipes

/// A copy of a tree is told of nodes as they were, and is in the end what the tree is.
///
/// A client that has come to an end looks once more at the newest state; its copy must be how the tree was then or later.
/// Source: DESIGN section 8, caches; documentation of `SubtreeCache`.
struct Mirrors: RecipeJudge {
    static let name = "caches: a copy shows nodes as they were, and in the end as they are"

    private struct Version: Hashable {
        let path: String
        let mzxid: Zxid
    }

    static func check(_ run: RecipeCase) -> String? {
        // Asked for single versions only.
        var values: [Version: [UInt8]] = [:]
        for write in run.history.writes { values[Version(path: write.path, mzxid: write.zxid)] = write.value }
        for place in run.scenario.places where place.family == .mirror {
            let lives = run.history.lives.filter { $0.path == place.path || $0.path.hasPrefix(place.path + "/") }
            for (journal, isAlive) in run.journals {
                var (copy, session) = ([String: CachedNode](), SessionID.none)
                for telling in journal.copies where telling.path == place.path {
                    // Each session begins with an empty one.
                    if telling.session != session { (copy, session) = ([:], telling.session) }
                    if let finding = enter(telling, into: &copy, values, run) { return finding }
                }
                guard isAlive, let look = journal.lastLook else { continue }
                if session != journal.session { copy = [:] }
                if !run.matches(copy, lives, from: look) {
                    return "client \(journal.process) has a copy with \(copy.keys.sorted()), and the tree was never so "
                        + "from \(look) on"
                }
            }
        }
        return nil
    }

    private static func enter(
        _ telling: RecipeJournal.Copy, into copy: inout [String: CachedNode], _ values: [Version: [UInt8]],
        _ run: RecipeCase
    ) -> String? {
        for change in telling.changes {
            switch change {
            case .added(let node), .changed(let node):
                if case .added = change, copy[node.path] != nil { return "\(node.path) came twice" }
                if case .changed = change, copy[node.path] == nil { return "\(node.path) changed before it came" }
                guard node.stat.mzxid <= telling.seenAt, node.stat.mzxid > copy[node.path]?.stat.mzxid ?? .zero else {
                    return "\(node.path) went from \(copy[node.path]?.stat.mzxid ?? .zero) to \(node.stat.mzxid)"
                }
                guard values[Version(path: node.path, mzxid: node.stat.mzxid)] == node.bytes,
                    run.history.life(of: node.path, created: node.stat.czxid) != nil
                else { return "\(node.path) of \(node.stat.mzxid) was told and never was" }
                copy[node.path] = node
            case .removed(let node):
                guard let known = copy.removeValue(forKey: node.path) else { return "\(node.path) went before it came" }
                guard let end = run.history.life(of: known.path, created: known.stat.czxid)?.deleted,
                    end <= telling.seenAt
                else { return "\(node.path) was said to have gone, and had not" }
            case .read, .becameCurrent, .becameStale, .overflowed: break
            }
        }
        return nil
    }
}

extension RecipeCase {
    /// Whether the nodes were just these, each as it was written last, at a state from a certain one on.
    fileprivate func matches(
        _ copy: [String: CachedNode], _ lives: [RecipeHistory.Life], from look: Zxid
    ) -> Bool {
        let paths = Set(lives.map(\.path))
        let written = history.writes.filter { paths.contains($0.path) }
        let changes = written.map(\.zxid) + lives.compactMap(\.deleted)
        return ([look] + changes.filter { $0 > look }).contains { moment in
            let there = lives.filter { $0.isThere(at: moment) }
            return there.count == copy.count
                && there.allSatisfy { life in
                    let last = written.last { $0.path == life.path && $0.zxid <= moment }
                    return copy[life.path]?.stat.mzxid == last?.zxid
                }
        }
    }
}
