import ConclaveClient
import ConclaveCore
import Foundation
import Synchronization
import TestLanes
import Testing

@testable import ConclaveServer

@Suite("Local quorum", .live)
struct LocalQuorumTests {
    // MARK: Starting and stopping

    @Test("A quorum serves when its start returns, through every server, and leaves nothing behind when it has stopped")
    func startAndStop() async throws {
        let quorum = try await LocalQuorum.start()
        #expect(quorum.servers == [1, 2, 3] && quorum.running == [1, 2, 3])
        #expect(quorum.connectString.split(separator: ",").count == 3)
        let leader = try #require(quorum.leader)
        #expect(try await quorum.untilLeader() == leader)
        for id in quorum.servers { #expect(try quorum.isServing(id)) }
        for id in quorum.servers {
            try await withZooKeeperClient(connectedTo: try quorum.connectString(of: id)) { client in
                _ = try await client.create("/from-\(id)")
                try await client.sync("/")
                #expect(try await client.children(of: "/").names.count == Int(id.rawValue) + 1)
            }
        }
        let directory = try quorum.member(1).directory
        #expect(FileManager.default.fileExists(atPath: directory))
        await quorum.stop()
        #expect(quorum.running == [] && quorum.leader == nil)
        #expect(!FileManager.default.fileExists(atPath: directory))
        await quorum.stop()
    }

    @Test("One server alone is a quorum too, with an election")
    func alone() async throws {
        try await withQuorum(servers: 1) { quorum in
            #expect(quorum.leader == 1)
            try await withZooKeeperClient(connectedTo: quorum.connectString) { client in
                _ = try await client.create("/a")
                try await quorum.kill(1)
                try await quorum.restart(1)
                #expect(try await client.exists("/a") != nil)
            }
        }
    }

    @Test("A given data directory stays, and the next quorum goes on with what is in it")
    func givenDirectory() async throws {
        let directory = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try await withQuorum(servers: 2, dataDirectory: directory) { quorum in
            try await withZooKeeperClient(connectedTo: quorum.connectString) { _ = try await $0.create("/kept") }
        }
        #expect(FileManager.default.fileExists(atPath: directory + "/2/version-2"))
        try await withQuorum(servers: 2, dataDirectory: directory) { quorum in
            try await withZooKeeperClient(connectedTo: quorum.connectString) { client in
                let kept = try await client.exists("/kept")
                #expect(kept != nil)
            }
        }
    }

    @Test("What cannot be is refused")
    func refusals() async throws {
        for (servers, observers) in [(0, 0), (1, -1), (LocalQuorum.maximumServers, 1)] {
            let error = await #expect(throws: ZooKeeperError.self) {
                try await LocalQuorum.start(servers: servers, observers: observers)
            }
            #expect(error?.code == .badArguments)
        }
        try await withQuorum(servers: 1) { quorum in
            let unknown = ZooKeeperError(.badArguments)
            await #expect(throws: unknown) { try await quorum.kill(2) }
            await #expect(throws: unknown) { try await quorum.restart(2) }
            await #expect(throws: unknown) { try await quorum.pause(0) }
            #expect(throws: unknown) { try quorum.resume(4) }
            await #expect(throws: unknown) { try await quorum.untilNotServing(3) }
            await #expect(throws: unknown) { try await quorum.partition([1, 9]) }
            #expect(throws: unknown) { _ = try quorum.connectString(of: 2) }
            await #expect(throws: unknown) { try await quorum.restart(1) }
            await #expect(throws: ZooKeeperError(.sessionExpired)) { try await quorum.expire(SessionID(rawValue: 5)) }
        }
    }

    @Test("Waiting ends when the waiting task is cancelled")
    func cancelled() async throws {
        try await withQuorum(servers: 2) { quorum in
            try await quorum.kill(1)
            let waiting = Task { try await quorum.untilLeader(otherThan: 2) }
            waiting.cancel()
            await #expect(throws: ZooKeeperError(.cancelled)) { try await waiting.value }
        }
    }

    @Test("Servers of one ensemble never give out the same session id")
    func sessionIDs() async throws {
        try await withQuorum { quorum in
            for id in quorum.servers {
                try await withZooKeeperClient(connectedTo: try quorum.connectString(of: id)) { client in
                    #expect(client.sessionID.rawValue >> 56 == id.rawValue)
                }
            }
        }
    }

    // MARK: Losing servers

    @Test("When the leader is killed its clients go on with their sessions, and nothing acknowledged is lost")
    func killedLeader() async throws {
        try await withQuorum { quorum in
            let leader = try await quorum.untilLeader()
            let client = try await ZooKeeperClient.connect(to: quorum.connectString)
            let (session, owner) = (client.sessionID, "/owned")
            _ = try await client.create(owner, mode: .ephemeral)
            let journal = Journal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await journal.write(with: client) }
                try await journal.until(20)
                try await quorum.kill(leader)
                let next = try await quorum.untilLeader()
                #expect(next != leader && quorum.running.count == 2)
                try await journal.until(journal.count + 20)
                journal.finish()
                try await group.waitForAll()
            }
            #expect(client.sessionID == session && client.state.isOver == false)
            #expect(try await client.exists(owner)?.ephemeralOwner == session)
            try await journal.check(with: client)
            try await quorum.restart(leader)
            try await quorum.untilServing()
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    @Test(
        "All servers killed at once under load come back with everything that they acknowledged, and with their sessions"
    )
    func pulledPlug() async throws {
        try await withQuorum { quorum in
            let client = try await ZooKeeperClient.connect(to: quorum.connectString)
            let session = client.sessionID
            let journal = Journal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 { group.addTask { try await journal.write(with: client) } }
                try await journal.until(100)
                await quorum.killAll()
                #expect(quorum.running == [] && quorum.leader == nil)
                try await quorum.restartAll()
                try await quorum.untilServing()
                try await journal.until(journal.count + 20)
                journal.finish()
                try await group.waitForAll()
            }
            #expect(client.sessionID == session)
            try await journal.check(with: client)
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    @Test("A leader that stands still is replaced, and follows when it goes on")
    func pausedLeader() async throws {
        try await withQuorum(configure: { $0.ensemble?.syncLimitTicks = 10 }) { quorum in
            let leader = try await quorum.untilLeader()
            // Not to the one that will not answer: noticing that would take two thirds of the session's time-out.
            let others = try quorum.servers.filter { $0 != leader }.map { try quorum.connectString(of: $0) }
            let client = try await ZooKeeperClient.connect(to: others.joined(separator: ","))
            let journal = Journal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await journal.write(with: client) }
                try await journal.until(10)
                try await quorum.pause(leader)
                let next = try await quorum.untilLeader(otherThan: leader)
                try await journal.until(journal.count + 10)
                try quorum.resume(leader)
                _ = try await quorum.board.until { state in
                    state.members.contains { $0.id == leader && $0.leads } ? nil : true
                }
                try await quorum.untilServing()
                #expect(next != leader && quorum.running.count == 3)
                journal.finish()
                try await group.waitForAll()
            }
            try await journal.check(with: client)
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    @Test("A server that stands still can be killed and stopped")
    func pausedAndEnded() async throws {
        try await withQuorum { quorum in
            try await quorum.pause(1)
            try await quorum.pause(1)
            try await quorum.kill(1)
            #expect(quorum.running == [2, 3])
            try await quorum.restart(1)
            try await quorum.untilServing()
            try await quorum.pause(2)
        }
    }

    // MARK: Partitions

    @Test("A leader that is cut off serves no writes; healed, all have the same tree")
    func cutOffLeader() async throws {
        try await withQuorum { quorum in
            let leader = try await quorum.untilLeader()
            let client = try await ZooKeeperClient.connect(to: quorum.connectString)
            // Its only server serves nobody for a while. On a busy machine that may be longer than any session lives.
            let lonely = try await ZooKeeperClient.connect(to: try quorum.connectString(of: leader))
            _ = try await client.create("/a", Array("before".utf8))
            try await quorum.partition([leader])
            // One of these fails with the connection, or is made without one and waits for a server.
            let writes = Task { while true { _ = try await lonely.setData(at: "/a", to: Array("lonely".utf8)) } }
            let next = try await quorum.untilLeader(otherThan: leader)
            try await quorum.untilNotServing(leader)
            writes.cancel()
            await #expect(throws: ZooKeeperError.self) { try await writes.value }
            #expect(next != leader)
            try await client.setDataSurely("/a", "after")
            await quorum.heal()
            try await quorum.untilServing()
            try await expectEqualTrees(quorum)
            try await withZooKeeperClient(connectedTo: try quorum.connectString(of: leader)) { client in
                try await client.sync("/a")
                #expect(try await client.data(at: "/a").bytes == Array("after".utf8))
            }
            await lonely.close()
            await client.close()
        }
    }

    @Test("Without any two servers that see each other nobody serves; one healed pair is enough")
    func shattered() async throws {
        try await withQuorum { quorum in
            let client = try await ZooKeeperClient.connect(to: quorum.connectString)
            _ = try await client.create("/a")
            try await quorum.partition([1])
            try await quorum.partition([2], from: [3])
            for id in quorum.servers { try await quorum.untilNotServing(id) }
            #expect(quorum.leader == nil)
            await quorum.heal()
            try await quorum.partition([1], from: [2, 3])
            // Between healing and parting it may have been elected.
            _ = try await quorum.untilLeader(otherThan: 1)
            try await quorum.untilNotServing(1)
            try await client.setDataSurely("/a", "pair")
            #expect(try quorum.isServing(1) == false)
            await quorum.heal()
            try await quorum.untilServing()
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    @Test("A server that was away for more than others remember gets the whole tree")
    func longAway() async throws {
        try await withQuorum { quorum in
            let leader = try await quorum.untilLeader()
            let client = try await ZooKeeperClient.connect(to: try quorum.connectString(of: leader))
            let away = try #require(quorum.servers.first { $0 != leader })
            try await quorum.kill(away)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<700 { group.addTask { _ = try await client.create("/n\(number)") } }
                try await group.waitForAll()
            }
            try await quorum.restart(away)
            try await quorum.untilServing()
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    // MARK: Observers

    @Test("An observer follows and forwards, and its vote does not count")
    func observer() async throws {
        try await withQuorum(servers: 3, observers: 1) { quorum in
            #expect(quorum.servers == [1, 2, 3, 4] && quorum.leader != 4)
            let client = try await ZooKeeperClient.connect(to: try quorum.connectString(of: 4))
            _ = try await client.create("/a")
            try await expectEqualTrees(quorum)
            let followers = [ServerID](quorum.servers.filter { $0 != quorum.leader && $0 != 4 })
            for id in followers { try await quorum.kill(id) }
            // One of three votes and an observer are no quorum.
            for id in quorum.servers { try await quorum.untilNotServing(id) }
            try await quorum.restart(followers[0])
            try await quorum.untilServing()
            try await client.setDataSurely("/a", "again")
            try await expectEqualTrees(quorum)
            await client.close()
        }
    }

    // MARK: Clients

    @Test("Cut connections cost no session; an expired session takes its nodes along")
    func sessions() async throws {
        try await withQuorum { quorum in
            let client = try await ZooKeeperClient.connect(to: quorum.connectString)
            let onlooker = try await ZooKeeperClient.connect(to: quorum.connectString)
            _ = try await client.create("/owned", mode: .ephemeral)
            for id in quorum.servers { try await quorum.cutClients(of: id) }
            try await quorum.cutClients()
            try await client.setDataSurely("/owned", "still")
            // Its server may be behind the one that answered the write.
            try await onlooker.sync("/")
            let (stat, change) = try await onlooker.watchExists("/owned")
            #expect(stat != nil)
            try await quorum.expire(client.sessionID)
            #expect(try await change.fired().kind == .deleted)
            for await state in client.states where state.isOver { break }
            #expect(client.state == .expired)
            await onlooker.close()
        }
    }
}

// MARK: - Helpers

/// Runs a body with a quorum, and stops it whatever happens.
private func withQuorum(
    servers: Int = 3, observers: Int = 0, dataDirectory: String? = nil,
    configure: @escaping @Sendable (inout ServerConfiguration) -> Void = { _ in },
    _ body: (LocalQuorum) async throws -> Void
) async throws {
    let quorum = try await LocalQuorum.start(
        servers: servers, observers: observers, dataDirectory: dataDirectory, configure: configure)
    do {
        try await body(quorum)
    } catch {
        await quorum.stop()
        throw error
    }
    await quorum.stop()
}

/// All servers that run hold the same, once each of them has everything that was committed.
private func expectEqualTrees(_ quorum: LocalQuorum) async throws {
    for id in quorum.running {
        let client = try await ZooKeeperClient.connect(to: try quorum.connectString(of: id))
        try await client.syncSurely()
        await client.close()
    }
    var digests: [ServerID: Int64] = [:]
    for id in quorum.running { digests[id] = try await quorum.fingerprint(of: id)?.digest }
    #expect(digests.count == quorum.running.count && Set(digests.values).count == 1, "\(digests)")
}

extension ZooKeeperClient {
    /// Writes until an answer comes.
    fileprivate func syncSurely() async throws {
        while true {
            do throws(ZooKeeperError) {
                return try await sync("/")
            } catch {
                // A machine so busy that nothing was heard in time.
                guard error.code == .connectionLoss else { throw error }
            }
        }
    }

    fileprivate func setDataSurely(_ path: String, _ text: String) async throws {
        while true {
            do throws(ZooKeeperError) {
                _ = try await setData(at: path, to: Array(text.utf8))
                return
            } catch {
                guard error.isOutcomeUnknown else { throw error }
            }
        }
    }
}

/// Writes one node after the other and remembers which were acknowledged.
private final class Journal: Sendable {
    private struct State {
        var acknowledged: [String] = []
        var next = 0
        var isFinished = false
        /// Why a writer has given up.
        var failure: ZooKeeperError?
        var waiters: [(count: Int, waiter: CheckedContinuation<Void, any Error>)] = []
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.acknowledged.count } }

    func finish() { state.withLock { $0.isFinished = true } }

    /// Writes until it is finished; what has an unknown outcome is not counted.
    func write(with client: ZooKeeperClient) async throws {
        while true {
            let number = state.withLock { state -> Int? in
                defer { state.next += 1 }
                return state.isFinished ? nil : state.next
            }
            guard let number else { return }
            let path = "/journal-\(number)"
            do throws(ZooKeeperError) {
                _ = try await client.create(path)
                change { $0.acknowledged.append(path) }
            } catch {
                guard !error.isOutcomeUnknown else { continue }
                change { $0.failure = error }
                throw error
            }
        }
    }

    private func change(_ body: (inout State) -> Void) {
        let (ready, failure) = state.withLock { state in
            body(&state)
            let (count, failure) = (state.acknowledged.count, state.failure)
            let ready = state.waiters.filter { $0.count <= count || failure != nil }
            state.waiters.removeAll { $0.count <= count || failure != nil }
            return (ready.map(\.waiter), failure)
        }
        for waiter in ready {
            if let failure { waiter.resume(throwing: failure) } else { waiter.resume() }
        }
    }

    /// Returns when so many have been acknowledged; throws if nobody writes any more.
    func until(_ count: Int) async throws {
        try await withCheckedThrowingContinuation { waiter in
            let known = state.withLock { state -> Result<Void, any Error>? in
                if let failure = state.failure { return .failure(failure) }
                if state.acknowledged.count >= count { return .success(()) }
                state.waiters.append((count, waiter))
                return nil
            }
            if let known { waiter.resume(with: known) }
        }
    }

    /// Everything that was acknowledged is there.
    func check(with client: ZooKeeperClient) async throws {
        try await client.sync("/")
        let present = Set(try await client.children(of: "/").names.map { "/" + $0 })
        let lost = state.withLock { $0.acknowledged }.filter { !present.contains($0) }
        #expect(lost.isEmpty, "\(lost)")
    }
}
