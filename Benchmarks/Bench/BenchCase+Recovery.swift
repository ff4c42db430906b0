import BenchmarkKit
import ConclaveSystem
import Foundation

/// From the start of a process to the moment when it is useful.
extension BenchCase {
    static func recovery(_ arguments: BenchArguments) -> [BenchCase] {
        let nodes = arguments.isQuick ? 50_000 : 1_000_000
        let followed = arguments.isQuick ? 20_000 : 200_000
        return [
            BenchCase(
                name: "restart-\(nodes)", section: .recovery,
                text:
                    "a server with \(ResultText.grouped(nodes)) nodes is killed: from its start to the first acknowledged write",
                unit: "ms", moreIsBetter: false, isQuick: true, needsOwnServers: true, roundsAtMost: 1
            ) { target in
                try await target.withFreshServers(1) { try restart($0, nodes: nodes) }
            },
            BenchCase(
                name: "catch-up-diff", section: .recovery,
                text: "a killed follower of three has missed \(missed) writes: from its start until it serves them",
                unit: "ms", moreIsBetter: false, isQuick: true, needsOwnServers: true, roundsAtMost: 1
            ) { target in
                try await target.withFreshServers(3) { try catchUp($0, nodes: followed, losesHistory: false) }
            },
            BenchCase(
                name: "catch-up-snapshot", section: .recovery,
                text:
                    "a follower has lost its disk, the others have \(ResultText.grouped(followed)) nodes: from its start until it serves",
                unit: "ms", moreIsBetter: false, isQuick: true, needsOwnServers: true, roundsAtMost: 1
            ) { target in
                try await target.withFreshServers(3) { try catchUp($0, nodes: followed, losesHistory: true) }
            },
        ]
    }

    /// Few enough to be in the leader's memory: 500 there with Apache's server and with ours.
    private static let missed = 400
    private static let repetitions = 3

    private static func restart(_ target: Target, nodes: Int) throws -> Sample {
        let group = target.group
        _ = try Fill(engine: try target.engine(), nodes: nodes).run()
        var times: [Double] = []
        for _ in 0..<repetitions {
            group.signal(SIGKILL, 0)
            let begin = ContinuousClock.now
            try group.launch(0)
            try FirstWrite(address: .loopback(port: group.members[0].clientPort)).wait {
                group.members[0].process?.isRunning == true ? nil : "the server ended: \(group.lastWords(0))"
            }
            times.append((ContinuousClock.now - begin) / .milliseconds(1))
        }
        let resident = group.processes?.residentBytes().map { Double($0) / 1e6 }
        return Sample(times, details: resident.map { ["resident_mb": $0] } ?? [:])
    }

    private static func catchUp(_ target: Target, nodes: Int, losesHistory: Bool) throws -> Sample {
        let group = target.group
        _ = try Fill(engine: try target.engine(), nodes: nodes).run()
        var times: [Double] = []
        for round in 0..<repetitions {
            let leader = try group.leader()
            let follower = (leader + 1) % group.members.count
            group.signal(SIGKILL, follower)
            if losesHistory { try FileManager.default.removeItem(atPath: group.history(follower)) }
            _ = try Fill(engine: try target.engine(), nodes: missed, folder: "/missed-\(round)").run()
            guard let goal = group.zxid(leader) else { throw LoadError("the leader does not tell how far it is") }
            let begin = ContinuousClock.now
            try group.launch(follower)
            let deadline = Date(timeIntervalSinceNow: 120)
            while group.zxid(follower).map({ $0 < goal }) ?? true {
                guard group.members[follower].process?.isRunning == true else {
                    throw LoadError("the follower ended: \(group.lastWords(follower))")
                }
                guard Date() < deadline else { throw LoadError("the follower has not caught up within 120 s") }
                usleep(2_000)
            }
            times.append((ContinuousClock.now - begin) / .milliseconds(1))
        }
        return Sample(times)
    }
}
