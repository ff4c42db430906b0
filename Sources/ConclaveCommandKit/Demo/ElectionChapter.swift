import ConclaveClient
import ConclaveCore
import Recipes

/// A master is elected and its session killed, twice; the next in line takes over.
struct ElectionChapter: Sendable {
    private struct Elected: Sendable {
        let name: String
        let token: FencingToken
        let time: ContinuousClock.Instant
    }

    private static let path = "/demo/masters/billing"
    private static let workPath = "/demo/bills"
    private static let names = ["ada", "ben", "cleo"]

    static func tell(_ world: DemoWorld, _ story: Story) async throws {
        story.chapter(3, "A master", "one of three works, the others stand by; its session is killed, twice")
        let onlooker = try await world.connect()
        try await onlooker.ensurePath(workPath)
        let (elections, send) = AsyncStream.makeStream(of: Elected.self)
        var clients: [String: ZooKeeperClient] = [:]
        for name in names { clients[name] = try await world.connect() }
        let candidates = clients
        try await withThrowingTaskGroup(of: Void.self) { group in
            for name in names {
                guard let client = candidates[name] else { continue }
                group.addTask { try await stand(name, client, story) { send.yield($0) } }
            }
            var iterator = elections.makeAsyncIterator()
            var takeovers: [Duration] = []
            var killed: ContinuousClock.Instant?
            for round in 0..<names.count {
                guard let elected = await iterator.next() else { throw CancellationError() }
                if let killed { takeovers.append(elected.time - killed) }
                let after = takeovers.last.map { ", \(DurationText.format($0)) after the kill" } ?? ""
                story.tell(elected.name, "is the master of term \(elected.token)\(after)")
                try await Task.sleep(for: .milliseconds(500))
                guard round < names.count - 1, let client = candidates[elected.name] else { break }
                story.tell("servers", "\(elected.name)'s session is killed")
                killed = .now
                try await world.killSession(of: client)
            }
            group.cancelAll()
            // Candidates end by cancellation or by the loss of their session.
            while await group.nextResult() != nil {}
            story.check(
                "a new master each time, after \(takeovers.map(DurationText.format).joined(separator: " and "))",
                takeovers.count == names.count - 1 && takeovers.allSatisfy { $0 < .seconds(2) })
        }
        try await check(onlooker, story)
        await world.closeClients()
    }

    /// Stands as a candidate, works while elected, and tells when the term is lost.
    private static func stand(
        _ name: String, _ client: ZooKeeperClient, _ story: Story, _ elected: @escaping @Sendable (Elected) -> Void
    ) async throws {
        let election = MasterElection(client, at: path, identity: name)
        do {
            try await election.whileLeader { term in
                elected(Elected(name: name, token: term.token, time: .now))
                while !Task.isCancelled {
                    // Every bill bears the number of the term in which it was written.
                    try await term.guarded([
                        .create(
                            workPath + "/bill-", Array("\(term.token)".utf8), mode: .persistentSequential, acl: .open)
                    ])
                    try await Task.sleep(for: .milliseconds(10))
                }
            }
        } catch let error as ZooKeeperError where error.code == .holdLost || error.isSessionOver {
            // Which of the two it is depends on what the body was doing at the moment.
            story.tell(name, story.red("stops") + ": \(error.message)")
        }
    }

    /// The bills, in the order in which the server numbered them, tell who led when.
    private static func check(_ client: ZooKeeperClient, _ story: Story) async throws {
        var terms: [UInt64] = []
        for name in try await client.children(of: workPath).names.sorted() {
            let node = try await client.data(at: workPath + "/" + name)
            terms.append(UInt64(String(decoding: node.bytes, as: UTF8.self)) ?? 0)
        }
        let isOrdered = zip(terms, terms.dropFirst()).allSatisfy { $0 <= $1 }
        story.check(
            "\(terms.count) bills of \(Set(terms).count) terms, none of an older term behind one of a newer",
            isOrdered && Set(terms).count == names.count)
    }
}
