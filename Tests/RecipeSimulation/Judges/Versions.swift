import ConclaveCore
import Recipes

/// A version of a set of values is published whole, over the one that its publisher had read; who reads sees one version.
///
/// Each publication sets a value of its own, by which it is known. Source: DESIGN section 8, several keys switched at
/// once; documentation of `ConfigurationSet`.
struct Versions: RecipeJudge {
    static let name = "configuration sets: every version is published and read whole, over the one before"

    private struct Version {
        let zxid: Zxid
        let number: Int
        let values: [String: [UInt8]]
    }

    static func check(_ run: RecipeCase) -> String? {
        for place in run.scenario.places where place.family == .configurationSet {
            let versions = versions(run, place)
            if let finding = switched(run, place, versions) ?? read(run, place, versions) { return finding }
        }
        return nil
    }

    private static func versions(_ run: RecipeCase, _ place: Scenario.Place) -> [Version] {
        // Asked for single transactions only.
        var values: [Zxid: [String: [UInt8]]] = [:]
        for write in run.history.writes {
            let version = RecipeHistory.parent(of: write.path)
            guard RecipeHistory.parent(of: version) == place.path else { continue }
            values[write.zxid, default: [:]][RecipeHistory.name(of: write.path)] = write.value
        }
        return run.history.writes.filter { $0.path == place.path }.compactMap { write in
            // The pointer is made empty.
            SnapshotMachine.number(of: write.value).map {
                Version(zxid: write.zxid, number: $0, values: values[write.zxid] ?? [:])
            }
        }
    }

    private static func switched(_ run: RecipeCase, _ place: Scenario.Place, _ versions: [Version]) -> String? {
        let attempts = run.journals.flatMap(\.journal.switches).filter { $0.path == place.path }
        var before = Zxid.zero
        for version in versions {
            let own = attempts.filter { $0.values == version.values }
            guard let attempt = own.first, own.count == 1 else {
                return "\(version.zxid) published version \(version.number), which \(own.count) have asked for"
            }
            guard attempt.base == before else {
                return "\(version.zxid) published over \(before) what was made of \(attempt.base)"
            }
            before = version.zxid
        }
        for attempt in attempts {
            guard let told = attempt.published else { continue }
            guard versions.contains(where: { $0.zxid == told && $0.values == attempt.values }) else {
                return "\(told) was said to have published a version and has not"
            }
        }
        return nil
    }

    private static func read(_ run: RecipeCase, _ place: Scenario.Place, _ versions: [Version]) -> String? {
        for (journal, _) in run.journals {
            for snapshot in journal.snapshots where snapshot.path == place.path {
                let (reading, zxid) = (snapshot.reading, snapshot.reading.pointer.mzxid)
                guard let version = versions.first(where: { $0.zxid == zxid }), version.number == reading.number,
                    version.values == reading.values
                else { return "client \(journal.process) read version \(reading.number) of \(zxid) as it never was" }
            }
        }
        return nil
    }
}
