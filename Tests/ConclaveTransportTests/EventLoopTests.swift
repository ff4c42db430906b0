import ConclaveCore
import ConclaveSystem
import ConclaveTransport
import Synchronization
import TestLanes
import Testing

@Suite(.live) struct EventLoopTests {
    @Test("Work runs on the loop in the order of submission")
    func submits() async throws {
        try await withLoop { loop in
            let log = Log<Int>()
            #expect(!loop.isCurrent)
            for number in 0..<3_000 {
                loop.submit {
                    log.append(number)
                    if !loop.isCurrent { log.append(-1) }
                }
            }
            await loop.perform {}
            #expect(log.events == Array(0..<3_000))
        }
    }

    @Test("Work from many threads all runs, that of each thread in order")
    func manyThreads() async throws {
        try await withLoop { loop in
            let log = Log<(thread: Int, number: Int)>()
            let threads = try (0..<4).map { thread in
                try ThreadHandle(name: "submitter") {
                    for number in 0..<1_000 { loop.submit { log.append((thread, number)) } }
                }
            }
            for thread in threads { thread.join() }
            await loop.perform {}
            for thread in 0..<4 {
                #expect(log.events.filter { $0.thread == thread }.map(\.number) == Array(0..<1_000))
            }
        }
    }

    @Test("An actor lives on the loop, and code the loop calls may assume its isolation")
    func executor() async throws {
        try await withLoop { loop in
            let counter = Counter(loop)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<100 { group.addTask { await counter.increment() } }
            }
            #expect(await counter.value == 100)
            let value = await loop.perform { counter.assumeIsolated { $0.value } }
            #expect(value == 100)
            #expect(await counter.isOnLoop)
            let inTimer = await withCheckedContinuation { waiter in
                loop.submit {
                    loop.schedule(at: loop.now) { waiter.resume(returning: counter.assumeIsolated { $0.value }) }
                }
            }
            #expect(inTimer == 100)
        }
    }

    @Test("Timers run by deadline, past ones at once, cancelled ones never and free at once")
    func timers() async throws {
        try await withLoop { loop in
            let log = Log<String>()
            await loop.perform {
                let now = loop.now
                loop.schedule(at: now.advanced(byMilliseconds: 3)) { log.append("third") }
                loop.schedule(at: .start) { log.append("first") }
                loop.schedule(at: now.advanced(byMilliseconds: 1)) { log.append("second") }
                let token = loop.schedule(at: now) { log.append("never") }
                loop.cancel(token)
                loop.cancel(token)
                #expect(loop.load.timers == 3)
            }
            await log.wait { $0.last == "third" }
            #expect(log.events == ["first", "second", "third"])
            #expect(await loop.perform { loop.load.timers } == 0)
        }
    }

    @Test("A timer that sets itself again for now does not keep others away")
    func greedyTimer() async throws {
        try await withLoop { loop in
            let isStopped = Atomic(false)
            await loop.perform { @Sendable () -> Void in
                @Sendable func again() {
                    guard !isStopped.load(ordering: .relaxed) else { return }
                    loop.schedule(at: .start) { again() }
                }
                again()
            }
            await loop.perform {}
            isStopped.store(true, ordering: .relaxed)
        }
    }

    @Test("Work that submits itself again does not keep descriptors and timers away")
    func greedyWork() async throws {
        try await withLoop { loop in
            let isStopped = Atomic(false)
            @Sendable func again() {
                guard !isStopped.load(ordering: .relaxed) else { return }
                loop.submit { again() }
            }
            again()
            let (left, right) = try Socket.pair()
            let handler = Told()
            let token = try await loop.perform { try loop.watch(left.descriptor, for: .readable, handler: handler) }
            _ = right.send([1], from: 0)
            await handler.log.wait { !$0.isEmpty }
            await withCheckedContinuation { waiter in
                loop.submit { loop.schedule(at: loop.now) { waiter.resume() } }
            }
            isStopped.store(true, ordering: .relaxed)
            await loop.perform {
                loop.remove(token)
                left.close()
            }
            right.close()
        }
    }

    @Test("Hooks run at the end of each turn until they are removed")
    func hooks() async throws {
        try await withLoop { loop in
            let log = Log<String>()
            let token = await loop.perform { loop.beforeWaiting { log.append("hook") } }
            await loop.perform { log.append("work") }
            await log.wait { $0.suffix(2) == ["work", "hook"] }
            await loop.perform { loop.remove(token) }
            let count = log.events.count
            await loop.perform {}
            await loop.perform {}
            #expect(log.events.count == count)
        }
    }

    @Test("A descriptor removed in the turn that found it ready is not told, nor is its successor by mistake")
    func staleEvents() async throws {
        try await withLoop { loop in
            let (first, firstPeer) = try Socket.pair()
            let (second, secondPeer) = try Socket.pair()
            let log = Log<String>()
            // Whoever is told first removes the other and reuses its slot for a descriptor that is not ready.
            let (quiet, quietPeer) = try Socket.pair()
            await loop.perform {
                let tokens = Confined<[WatchToken]>([])
                for (index, socket) in [first, second].enumerated() {
                    let handler = Closures { _ in
                        log.append("told")
                        loop.remove(tokens.value[index])
                        loop.remove(tokens.value[1 - index])
                        _ = try? loop.watch(
                            quiet.descriptor, for: .readable, handler: Closures { _ in log.append("wrong") })
                    }
                    tokens.value.append(try! loop.watch(socket.descriptor, for: .readable, handler: handler))
                }
                // Both are ready before the loop looks again.
                _ = firstPeer.send([1], from: 0)
                _ = secondPeer.send([1], from: 0)
            }
            await log.wait { !$0.isEmpty }
            await loop.perform {}
            await loop.perform {}
            #expect(log.events == ["told"])
            _ = quietPeer.send([1], from: 0)
            await log.wait { $0.last == "wrong" }
            loop.shutdown()
            await loop.ended()
            for socket in [first, firstPeer, second, secondPeer, quiet, quietPeer] { socket.close() }
        }
    }

    @Test("A watch is told again until its cause is gone, and in what it was updated to")
    func interest() async throws {
        try await withLoop { loop in
            let (left, right) = try Socket.pair()
            let handler = Told()
            let token = try await loop.perform { try loop.watch(left.descriptor, for: [], handler: handler) }
            _ = right.send([1], from: 0)
            await loop.perform {}
            #expect(handler.log.events.isEmpty)
            await loop.perform { loop.update(token, to: .readable) }
            await handler.log.wait { $0 == [.readable, .readable, .readable] || $0.count > 3 }
            await loop.perform {
                loop.update(token, to: [.readable, .writable])
                loop.update(token, to: [.readable, .writable])
            }
            await handler.log.wait { $0.last == [.readable, .writable] }
            await loop.perform {
                loop.remove(token)
                loop.remove(token)
                loop.update(token, to: .readable)
                left.close()
                #expect(loop.load.watches == 0)
            }
            right.close()
        }
    }

    @Test("Shutdown runs all that was submitted, tells the watched and drops the timers")
    func shutdown() async throws {
        let loop = try EventLoop(name: "ending")
        let (left, right) = try Socket.pair()
        let log = Log<String>()
        final class Ending: ReadinessHandler {
            let log: Log<String>
            init(_ log: Log<String>) { self.log = log }
            func ready(_ readiness: Readiness) {}
            func abandoned() { log.append("abandoned") }
        }
        final class Payload: Sendable {}
        weak var payload: Payload?
        do {
            let held = Payload()
            payload = held
            try await loop.perform { @Sendable [held] in
                _ = try loop.watch(left.descriptor, for: .readable, handler: Ending(log))
                loop.schedule(at: .distantFuture) { _ = held }
                loop.submit {
                    log.append("before")
                    loop.shutdown()
                    loop.submit { loop.submit { log.append("after") } }
                }
            }
        }
        await loop.ended()
        loop.join()
        await log.wait { $0.contains("after") }
        #expect(log.events == ["before", "abandoned", "after"])
        #expect(payload == nil)
        #expect(!loop.isCurrent)
        loop.shutdown()
        loop.join()
        left.close()
        right.close()
    }

    @Test("After the end work still runs, one item at a time, and actors on the loop still answer")
    func afterTheEnd() async throws {
        let loop = try EventLoop(name: "ended")
        let counter = Counter(loop)
        loop.shutdown()
        await loop.ended()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 { group.addTask { await counter.increment() } }
        }
        #expect(await counter.value == 200)
        let isCurrent = await loop.perform { loop.isCurrent }
        #expect(isCurrent)
        let error = await loop.perform { () -> SystemError? in
            do throws(SystemError) {
                _ = try loop.watch(.standardInput, for: .readable, handler: Told())
                return nil
            } catch {
                return error
            }
        }
        #expect(error?.errno == .cancelled)
    }

    @Test("Ending a loop while many threads submit loses nothing")
    func racingShutdown() async throws {
        for _ in 0..<20 {
            let loop = try EventLoop(name: "race")
            let count = Atomic(0)
            let threads = try (0..<3).map { _ in
                try ThreadHandle(name: "submitter") {
                    for _ in 0..<200 { loop.submit { count.add(1, ordering: .relaxed) } }
                }
            }
            loop.shutdown()
            for thread in threads { thread.join() }
            await loop.ended()
            await loop.perform {}
            #expect(count.load(ordering: .relaxed) == 600)
        }
    }

    @Test("An ended loop leaves no descriptor and no memory behind")
    func noLeak() async throws {
        weak var leaked: EventLoop?
        do {
            let loop = try EventLoop(name: "short")
            leaked = loop
            await loop.perform {}
            loop.shutdown()
            loop.join()
        }
        #expect(leaked == nil)
    }
}

private actor Counter {
    let loop: EventLoop
    private(set) var value = 0

    init(_ loop: EventLoop) { self.loop = loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    var isOnLoop: Bool { loop.isCurrent }

    func increment() { value += 1 }
}

private final class Told: ReadinessHandler, Sendable {
    let log = Log<Readiness>()
    func ready(_ readiness: Readiness) { log.append(readiness) }
    func abandoned() {}
}

private final class Closures: ReadinessHandler {
    let body: (Readiness) -> Void
    init(_ body: @escaping (Readiness) -> Void) { self.body = body }
    func ready(_ readiness: Readiness) { body(readiness) }
    func abandoned() {}
}
