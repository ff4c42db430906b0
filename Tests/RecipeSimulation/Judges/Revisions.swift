import ConclaveCore
import Recipes

/// A value that was said to be published is, once; each revision stands in the history; subscribers see each of those they
/// are told as it was, in order, and in the end the last one.
///
/// Every publication has a value of its own, by which it is known. Source: DESIGN section 8, configuration; documentation
/// of `Configuration`.
struct Revisions: RecipeJudge {
    static let name = "configuration: what is published is a revision once, and seen in order"

    private struct Revision {
        let zxid: Zxid
        let version: Int32
        let value: [UInt8]
    }

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .configuration {
            var revisions: [Revision] = []
            // The node is made once and never deleted.
            for write in run.history.writes where write.path == place.path {
                revisions.append(.init(zxid: write.zxid, version: Int32(revisions.count), value: write.value))
            }
            let finding =
                published(run, place, revisions) ?? recorded(run, place, revisions) ?? seen(run, place, revisions)
            if let finding { return finding }
        }
        return nil
    }

    private static func published(_ run: RecipeCase, _ place: Scenario.Place, _ revisions: [Revision]) -> String? {
        var left = revisions
        for publication in run.journals.flatMap(\.journal.publications) where publication.path == place.path {
            let made = left.filter { $0.value == publication.value }
            left.removeAll { $0.value == publication.value }
            guard made.count <= 1 else {
                return "a value was published \(made.count) times, at last by \(made[1].zxid)"
            }
            if let revision = made.first {
                switch publication.expected {
                case .nothing where revision.version != 0, .version(revision.version):
                    return "\(revision.zxid) made version \(revision.version), expecting \(publication.expected)"
                case .version(let version) where revision.version != version + 1:
                    return "\(revision.zxid) made version \(revision.version) of \(version)"
                default: break
                }
            }
            guard let stat = publication.stat else { continue }
            guard let revision = made.first else {
                return "version \(stat.version) was said to be published and was not"
            }
            guard revision.zxid == stat.mzxid else {
                return "\(revision.zxid) published what was told of \(stat.mzxid)"
            }
        }
        return left.first.map { "\($0.zxid) made version \($0.version), which nobody has published" }
    }

    private static func recorded(_ run: RecipeCase, _ place: Scenario.Place, _ revisions: [Revision]) -> String? {
        let history = PublishMachine.history(of: place.path)
        let entries = run.history.writes.filter { RecipeHistory.parent(of: $0.path) == history }
        guard entries.count == revisions.count else {
            return "\(revisions.count) revisions, and \(entries.count) entries of the history"
        }
        for (revision, entry) in zip(revisions, entries) {
            let path = history + "/" + PublishMachine.name(of: revision.version)
            guard entry.zxid == revision.zxid, entry.path == path, entry.value == revision.value else {
                return
                    "version \(revision.version) of \(revision.zxid) stands in the history as \(entry.path) of \(entry.zxid)"
            }
        }
        let kept = run.history.lives(below: history).filter { $0.deleted == nil }.map(\.path)
        let wanted = revisions.suffix(place.historyLimit).map { history + "/" + PublishMachine.name(of: $0.version) }
        return kept == wanted ? nil : "the history has kept \(kept), and not \(wanted)"
    }

    private static func seen(_ run: RecipeCase, _ place: Scenario.Place, _ revisions: [Revision]) -> String? {
        for (journal, isAlive) in run.journals {
            var last: [SessionID: Int] = [:]
            for seen in journal.sightings where seen.path == place.path {
                let sighting = seen.sighting
                let mzxid = sighting.stat.mzxid
                guard let index = revisions.firstIndex(where: { $0.zxid == mzxid }),
                    revisions[index].value == sighting.value, Int(sighting.stat.version) == index
                else { return "client \(journal.process) was told of a revision of \(mzxid) that never was" }
                let before = last[seen.session]
                guard index > before ?? -1 else {
                    return "client \(journal.process) went back to the revision of \(mzxid)"
                }
                let skipped = before.map { index - $0 - 1 } ?? 0
                guard sighting.skipped == skipped, !sighting.isNewNode else {
                    return "\(sighting.skipped) revisions before \(mzxid) were said to be skipped, and \(skipped) were"
                }
                last[seen.session] = index
            }
            guard isAlive, let look = journal.lastLook else { continue }
            let newest = revisions.lastIndex { $0.zxid <= look }
            guard last[journal.session] ?? -1 >= newest ?? -1 else {
                return "client \(journal.process) follows \(place.path) and was not told of version \(newest ?? 0)"
            }
        }
        return nil
    }
}
