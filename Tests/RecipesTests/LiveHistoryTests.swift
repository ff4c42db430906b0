import ConclaveClient
import ConclaveCore
import Foundation
import TestLanes
import Testing

@testable import Recipes

@Suite("Configuration with history, backup, answers and several keys", .onServer, .live)
struct LiveHistoryTests {
    struct Limits: Codable, ConfigurationValue, Equatable {
        var rate: Int
    }

    @Test("The last revisions are kept, and going back to one publishes it anew")
    func history() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let path = live.path + "/a/limits"
            let limits = Configuration<Limits>(client, at: path, options: .init(historyLimit: 3))
            #expect(try await limits.history().isEmpty)
            var last: ConfigurationRevision<Limits>?
            for rate in 0..<5 { last = try await limits.publish(Limits(rate: rate)) }
            #expect(last?.version == 4)
            let kept = try await limits.history()
            #expect(kept.map(\.version) == [4, 3, 2])
            #expect(kept.map(\.value.rate) == [4, 3, 2])
            #expect(kept.first == last)
            #expect(try await limits.current() == last)
            let back = try await limits.rollBack(to: 2)
            #expect(back.version == 5 && back.value.rate == 2)
            #expect(try await limits.history(limit: 1) == [back])
            await #expect(throws: ZooKeeperError(.noNode, path: path + "/history/0000000000")) {
                try await limits.rollBack(to: 0)
            }
            await #expect(throws: ZooKeeperError(.badVersion, path: path)) {
                try await limits.rollBack(to: 4, expecting: .version(4))
            }
        }
    }

    @Test("Concurrent publishers leave no gap in the history")
    func concurrent() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect()]
            try await withThrowingTaskGroup { group in
                for number in 0..<6 {
                    let limits = Configuration<Limits>(
                        clients[number % 2], at: live.path, options: .init(historyLimit: 100))
                    group.addTask {
                        for _ in 0..<3 { try await limits.update { Limits(rate: ($0?.rate ?? 0) + 1) } }
                        try await limits.publish(Limits(rate: -1))
                        try await limits.update { Limits(rate: ($0?.rate ?? 0) + 1) }
                    }
                }
                try await group.waitForAll()
            }
            let limits = Configuration<Limits>(clients[0], at: live.path, options: .init(historyLimit: 100))
            let history = try await limits.history()
            #expect(history.map(\.version) == (0..<30).reversed())
            #expect(history.first == (try await limits.current()))
        }
    }

    @Test("The connection fails at any step: value and history stay in step, and unknown is said to be unknown")
    func lostConnections() async throws {
        try await Live.run { live in
            let (client, relay) = try await LostConnectionTests.relayed(live)
            defer { relay.stop() }
            let observer = Configuration<Limits>(
                try await live.connect(), at: live.path, options: .init(historyLimit: 1_000))
            let limits = Configuration<Limits>(client, at: live.path, options: .init(historyLimit: 1_000))
            var published = 0
            for fault in LostConnectionTests.Fault.allCases {
                for step in 1... {
                    let trigger = StepTrigger(at: step) {
                        fault == .droppedConnection ? relay.drop() : relay.loseNextAnswer()
                    }
                    let rate = published + 1
                    do {
                        let revision = try await trigger.observe { try await limits.publish(Limits(rate: rate)) }
                        #expect(revision.value.rate == rate && Int(revision.version) == published)
                        published += 1
                    } catch let error as ZooKeeperError where error.code == .connectionLoss {
                        try await observer.client.sync(live.path)
                        if try await observer.current()?.value.rate == rate { published += 1 }
                    }
                    let history = try await observer.history(limit: 1_000)
                    #expect(history.map(\.version) == (0..<Int32(published)).reversed(), "\(fault) at step \(step)")
                    #expect(try await observer.current() == history.first, "\(fault) at step \(step)")
                    // Requests fail until the next connection; the step count begins with a working one.
                    while (try? await client.sync()) == nil {}
                    guard trigger.hasFired else { break }
                }
            }
        }
    }

    @Test("What is not valid is not published, and not believed when others publish it")
    func validation() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let strict = Configuration<Limits>(
                client, at: live.path,
                options: .init(validation: { if $0.rate < 0 { throw InvalidConfiguration("negative") } }))
            try await strict.publish(Limits(rate: 1))
            await #expect(throws: InvalidConfiguration("negative")) { try await strict.publish(Limits(rate: -1)) }
            try await Configuration<Limits>(client, at: live.path).publish(Limits(rate: -2))
            await #expect(throws: InvalidConfiguration("negative")) { try await strict.current() }
            #expect(strict.lastKnownGood?.value.rate == 1)
            var updates = strict.updates.makeAsyncIterator()
            try await strict.publish(Limits(rate: 2))
            #expect(try await updates.next()?.value.rate == 2)
        }
    }

    @Test("The newest revision comes back from its file, until a server tells a newer one")
    func backup() async throws {
        try await Live.run { live in
            let client = try await live.connect()
            let file = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString)").path()
            defer { try? FileManager.default.removeItem(atPath: file) }
            let options = ConfigurationOptions<Limits>(backupFile: file)
            let first = Configuration<Limits>(client, at: live.path, options: options)
            #expect(first.lastKnownGood == nil && first.backupProblem == nil)
            for rate in 0..<10 { try await first.publish(Limits(rate: rate)) }
            await first.waitUntilBackedUp()
            #expect(first.backupProblem == nil)
            // Another path stands for another ensemble, whose transactions have smaller numbers.
            let again = Configuration<Limits>(client, at: live.path + "-other", options: options)
            let known = try #require(again.lastKnownGood)
            #expect(known.value.rate == 9 && known.version == 9 && known.isFromBackup)
            try await again.publish(Limits(rate: 100))
            #expect(again.lastKnownGood?.value.rate == 100)
            #expect(again.lastKnownGood?.isFromBackup == false)
            await again.waitUntilBackedUp()
            try await client.deleteSubtree(live.path + "-other")
            try Data("conclave-configuration 1 0 0 0 5 1\nwrong".utf8).write(to: URL(filePath: file))
            let damaged = Configuration<Limits>(client, at: live.path, options: options)
            #expect(damaged.lastKnownGood == nil)
            #expect(damaged.backupProblem == "\(file): not a whole backup")
            let nowhere = Configuration<Limits>(
                client, at: live.path, options: .init(backupFile: "/nonexistent-\(UUID().uuidString)/file"))
            try await nowhere.publish(Limits(rate: 3))
            await nowhere.waitUntilBackedUp()
            #expect(nowhere.backupProblem != nil)
        }
    }

    @Test("A backup is read whole or not at all")
    func backupBytes() {
        let content = ConfigurationBackup.Content(
            version: -3, zxid: Zxid(rawValue: .max), writtenMilliseconds: 5, bytes: Array("a\nb".utf8))
        let bytes = ConfigurationBackup.encode(content)
        #expect(ConfigurationBackup.decode(bytes) == content)
        for length in 0..<bytes.count { #expect(ConfigurationBackup.decode(Array(bytes[..<length])) == nil) }
        for place in (bytes.count - 3)..<bytes.count {
            var damaged = bytes
            damaged[place] ^= 1
            #expect(ConfigurationBackup.decode(damaged) == nil)
        }
    }

    @Test("Publishers learn who has applied a revision and who has refused it")
    func answers() async throws {
        try await Live.run { live in
            let limits = Configuration<Limits>(try await live.connect(), at: live.path)
            let first = try await limits.publish(Limits(rate: 1))
            #expect(try await limits.acknowledgements().isEmpty)
            let clients = [try await live.connect(), try await live.connect()]
            let followers = clients.enumerated().map { number, client in
                Task {
                    try await Configuration<Limits>(client, at: live.path).follow(as: "s\(number)") { revision in
                        if number == 1, revision.value.rate > 5 { throw InvalidConfiguration("too\nmuch") }
                    }
                }
            }
            let all = try await limits.answers(to: first, from: 2, timeout: .seconds(60))
            #expect(all.map(\.subscriber) == ["s0", "s1"])
            #expect(all.allSatisfy { $0.refusal == nil && $0.version == 0 && $0.zxid == first.zxid })
            let second = try await limits.publish(Limits(rate: 6))
            let answers = try await limits.answers(to: second, from: 2, timeout: .seconds(60))
            #expect(answers.map(\.refusal) == [nil, "too much"])
            #expect(try await limits.acknowledgements() == answers)
            await #expect(throws: ZooKeeperError(.deadlineExceeded, path: live.path)) {
                try await limits.answers(to: second, from: 3, timeout: .milliseconds(1))
            }
            // Who goes takes what it said along.
            followers[1].cancel()
            try await followers[1].value
            await clients[1].close()
            #expect(try await limits.acknowledgements().map(\.subscriber) == ["s0"])
            followers[0].cancel()
            try await followers[0].value
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path)) {
                try await limits.acknowledge(second, as: "a/b")
            }
        }
    }

    @Test("Several keys are switched at once: readers never see a mixture, whoever publishes")
    func several() async throws {
        try await Live.run { live in
            let clients = [try await live.connect(), try await live.connect(), try await live.connect()]
            let sets = clients.map { ConfigurationSet($0, at: live.path + "/set", keeping: 3) }
            #expect(try await sets[0].current() == nil)
            #expect(try await sets[0].versions().isEmpty)
            let reader = Task {
                var seen = 0
                for try await snapshot in sets[2].updates {
                    let left = try #require(try snapshot.value(of: "left", as: String.self))
                    #expect(try snapshot.value(of: "right") == left)
                    seen += 1
                    if left == "end" { break }
                }
                return seen
            }
            try await withThrowingTaskGroup { group in
                for publisher in 0..<2 {
                    group.addTask {
                        for round in 0..<10 {
                            try await sets[publisher].update { draft in
                                try draft.set("left", to: "\(publisher)-\(round)")
                                try draft.set("right", to: "\(publisher)-\(round)")
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let last = try await sets[0].update { draft in
                #expect(draft.values.count == 2)
                for key in ["left", "right", "more"] { try draft.set(key, to: "end") }
            }
            #expect(last.number == 20 && last.pointerVersion == 21)
            #expect(try await reader.value >= 1)
            for set in sets { await set.waitUntilClean() }
            #expect(try await sets[1].versions() == [20, 19, 18])
            try await sets[1].rollBack(to: 19)
            #expect(try await sets[0].current()?.number == 19)
            await #expect(throws: ZooKeeperError(.noNode, path: live.path + "/set/0000000001")) {
                try await sets[1].rollBack(to: 1)
            }
            let next = try await sets[0].update { $0.remove("left") }
            #expect(next.number == 21)
            #expect(next.values.keys.sorted() == ["right"])
            await #expect(throws: ZooKeeperError(.badArguments, path: live.path + "/set")) {
                try await sets[0].update { try $0.set("a/b", to: "") }
            }
        }
    }
}
