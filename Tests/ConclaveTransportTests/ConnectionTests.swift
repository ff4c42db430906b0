import ConclaveCore
import ConclaveSystem
import ConclaveTransport
import Synchronization
import TestLanes
import Testing

@Suite(.live) struct ConnectionTests {
    @Test("Bytes come and go, and the statistics count them")
    func echo() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onReceive: { $0.send($1) })
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            for size in [1, 100, 70_000] {
                let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                try peer.send(bytes)
                #expect(try peer.receive(size) == bytes)
            }
            let statistics = await loop.perform { connection.value.statistics }
            #expect(statistics.bytesReceived == 70_101 && statistics.bytesSent == 70_101)
            #expect(statistics.receiveCalls >= 3 && statistics.sendCalls >= 3)
            #expect(await loop.perform { connection.value.pendingBytes } == 0)
            peer.socket.close()
            #expect(await recorder.closed() == .peerFinished)
        }
    }

    @Test("All that one turn writes leaves with one call")
    func batches() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            await loop.perform {
                for number in 0..<100 as Range<UInt8> {
                    connection.value.send([number])
                    connection.value.withOutput { $0.writeInt32(Int32(number)) }
                }
                #expect(connection.value.pendingBytes == 500)
            }
            #expect(try peer.receive(500).count == 500)
            #expect(await loop.perform { connection.value.statistics.sendCalls } == 1)
            await loop.perform {
                connection.value.send([1, 2])
                connection.value.flush()
                #expect(connection.value.pendingBytes == 0)
                connection.value.withOutput { _ in }
                connection.value.send([])
            }
            #expect(try peer.receive(2) == [1, 2])
            #expect(await loop.perform { connection.value.statistics.sendCalls } == 2)
            peer.socket.close()
        }
    }

    @Test("What is in no hurry leaves with what follows, at its deadline, or when the connection is finished")
    func later() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            await loop.perform { connection.value.sendLater([1], by: loop.now.advanced(byMilliseconds: 60_000)) }
            #expect(await loop.perform { connection.value.pendingBytes } == 1)
            await loop.perform { connection.value.send([2]) }
            #expect(try peer.receive(2) == [1, 2])
            #expect(await loop.perform { connection.value.statistics.sendCalls } == 1)
            await loop.perform { connection.value.sendLater([3], by: loop.now.advanced(byMilliseconds: 60_000)) }
            await loop.perform { connection.value.sendLater([4], by: loop.now) }
            await loop.perform { connection.value.sendLater([UInt8](repeating: 5, count: 65_535), by: .distantFuture) }
            #expect(try peer.receive(65_537).prefix(3) == [3, 4, 5])
            await loop.perform {
                connection.value.sendLater([6], by: .distantFuture)
                connection.value.finish()
            }
            #expect(try peer.receive(1) == [6])
            peer.socket.close()
            _ = await recorder.closed()
            let (second, other) = try await makeConnection(on: loop, Recorder())
            await loop.perform { second.value.sendLater([7], by: loop.now.advanced(byMilliseconds: 1)) }
            #expect(try other.receive(1) == [7])
            other.socket.close()
        }
    }

    @Test("What a small socket does not take is sent when there is room, in order, and then told")
    func partialWrites() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder, sendBuffer: 4_096)
            let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            await loop.perform {
                for start in stride(from: 0, to: bytes.count, by: 20_000) {
                    connection.value.send(Array(bytes[start..<start + 20_000]))
                    connection.value.flush()
                }
                #expect(connection.value.pendingBytes > 0)
            }
            #expect(try peer.receive(bytes.count) == bytes)
            await recorder.log.wait { $0.contains(.drained) }
            #expect(await loop.perform { connection.value.pendingBytes } == 0)
            #expect(recorder.log.events == [.drained])
            peer.socket.close()
        }
    }

    @Test("Output written while earlier output waits keeps its order")
    func interleavedWrites() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onReceive: { connection, bytes in
                // Each request asks for a block of its own number.
                for number in bytes { connection.send([UInt8](repeating: number, count: 10_000)) }
            })
            let (_, peer) = try await makeConnection(on: loop, recorder, sendBuffer: 4_096)
            for number in 0..<50 as Range<UInt8> { try peer.send([number]) }
            for number in 0..<50 as Range<UInt8> {
                #expect(try peer.receive(10_000) == [UInt8](repeating: number, count: 10_000))
            }
            peer.socket.close()
            #expect(await recorder.closed() == .peerFinished)
        }
    }

    @Test("A peer that never reads is reset at the limit, and others are served on")
    func neverReads() async throws {
        try await withLoop { loop in
            var options = Connection.Options()
            options.outputLimitBytes = 100_000
            let lazy = Recorder(onReceive: { connection, _ in connection.send([UInt8](repeating: 0, count: 10_000)) })
            let busy = Recorder(onReceive: { $0.send($1) })
            let (_, lazyPeer) = try await makeConnection(on: loop, lazy, options: options, sendBuffer: 4_096)
            let (_, busyPeer) = try await makeConnection(on: loop, busy)
            var requests = 0
            while lazy.log.events.last.map({ if case .closed = $0 { false } else { true } }) ?? true, requests < 1_000 {
                requests += 1
                guard case .bytes = lazyPeer.socket.send([1], from: 0) else { break }
                try busyPeer.send([7])
                #expect(try busyPeer.receive(1) == [7])
            }
            guard case .outputLimit(let pending) = await lazy.closed() else {
                Issue.record("not closed for its limit")
                return
            }
            #expect(pending > 100_000 && pending <= 110_000)
            #expect(requests < 100)
            try busyPeer.send([8])
            #expect(try busyPeer.receive(1) == [8])
            lazyPeer.socket.close()
            busyPeer.socket.close()
        }
    }

    @Test("Exactly the limit may wait, one byte more may not")
    func limit() async throws {
        try await withLoop { loop in
            var options = Connection.Options()
            options.outputLimitBytes = 100
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder, options: options, sendBuffer: 4_096)
            await loop.perform {
                let connection = connection.value
                // Fill the system's buffer; the part that it does not take waits here.
                while connection.pendingBytes == 0 {
                    connection.send([UInt8](repeating: 1, count: 100))
                    connection.flush()
                }
                connection.send([UInt8](repeating: 1, count: 100 - connection.pendingBytes))
                #expect(connection.pendingBytes == 100)
                #expect(!connection.isClosed)
                connection.send([1])
                #expect(connection.isClosed)
                connection.send([1])
                #expect(connection.pendingBytes == 0)
            }
            #expect(await recorder.closed() == .outputLimit(pendingBytes: 101))
            peer.socket.close()
        }
    }

    @Test("A reset is told as such, reading or paused")
    func resets() async throws {
        try await withLoop { loop in
            for isPaused in [false, true] {
                let listener = try Socket.listen(on: .loopback(port: 0))
                let client = try Peer(connectingTo: try #require(listener.localAddress))
                guard case .accepted(let accepted, let address) = listener.accept() else { throw SystemError("accept") }
                listener.close()
                let recorder = Recorder()
                await loop.perform {
                    let connection = try? Connection(
                        loop: loop, socket: accepted, peerAddress: address, delegate: recorder)
                    if isPaused { connection?.pauseReading() }
                }
                client.socket.reset()
                #expect(await recorder.closed() == .failed(.connectionReset))
                #expect(recorder.log.events.count == 1)
            }
        }
    }

    @Test("A peer that has finished sending still gets answers")
    func halfClose() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onEnd: { connection in
                connection.send([4, 5, 6])
                connection.finish()
            })
            let (_, peer) = try await makeConnection(on: loop, recorder)
            try peer.send([1])
            peer.socket.finishSending()
            #expect(try peer.receive(10) == [4, 5, 6])
            #expect(await recorder.closed() == .peerFinished)
            #expect(recorder.log.events == [.received(1), .ended, .closed(.peerFinished)])
            peer.socket.close()
        }
    }

    @Test("A peer's end does not keep the loop busy while its answers are worked out")
    func endIsToldOnce() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onEnd: { _ in })
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            peer.socket.finishSending()
            await recorder.log.wait { $0 == [.ended] }
            let before = await loop.perform { connection.value.statistics.receiveCalls }
            for _ in 0..<10 { await loop.perform {} }
            #expect(await loop.perform { connection.value.statistics.receiveCalls } == before)
            await loop.perform { connection.value.close() }
            #expect(await recorder.closed() == .local)
            peer.socket.close()
        }
    }

    @Test("Finishing sends what waits, then ends, although the peer's bytes are still coming")
    func finishes() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onReceive: { connection, _ in
                connection.send([UInt8](repeating: 9, count: 200_000))
                connection.finish(timeoutMilliseconds: 60_000)
                connection.send([1, 1, 1])
            })
            let (_, peer) = try await makeConnection(on: loop, recorder, sendBuffer: 4_096)
            try peer.send([1])
            await recorder.log.wait { !$0.isEmpty }
            // Nobody reads this; closing at once would reset the connection and lose the answer.
            try peer.send([2, 3, 4])
            #expect(try peer.receive(300_000) == [UInt8](repeating: 9, count: 200_000))
            peer.socket.close()
            #expect(await recorder.closed() == .local)
            #expect(recorder.log.events.count == 2)
        }
    }

    @Test("A peer that does not take the last bytes is reset in time")
    func finishTimesOut() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder, sendBuffer: 4_096)
            await loop.perform {
                connection.value.send([UInt8](repeating: 9, count: 500_000))
                connection.value.finish(timeoutMilliseconds: 5)
            }
            #expect(await recorder.closed() == .flushTimeout)
            peer.socket.close()
        }
    }

    @Test("A peer that never ends is closed in time after everything was sent")
    func lingeringTimesOut() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            await loop.perform {
                connection.value.send([1, 2])
                connection.value.finish(timeoutMilliseconds: 5)
            }
            #expect(try peer.receive(3) == [1, 2])
            #expect(await recorder.closed() == .local)
            #expect(await loop.perform { loop.load == (0, 0) })
            peer.socket.close()
        }
    }

    @Test("Paused reading leaves bytes with the system until it is resumed")
    func pauses() async throws {
        try await withLoop { loop in
            let recorder = Recorder()
            let (connection, peer) = try await makeConnection(on: loop, recorder)
            await loop.perform { connection.value.pauseReading() }
            try peer.send([1, 2, 3])
            for _ in 0..<3 { await loop.perform {} }
            #expect(recorder.log.events.isEmpty)
            await loop.perform {
                #expect(connection.value.isReadingPaused)
                connection.value.resumeReading()
            }
            await recorder.log.wait { $0 == [.received(3)] }
            peer.socket.close()
        }
    }

    @Test("Closing from within a callback is told afterwards, once, and nothing is received after it")
    func closesInside() async throws {
        try await withLoop { loop in
            let depth = Atomic(0)
            let recorder = Recorder(onReceive: { connection, _ in
                depth.add(1, ordering: .relaxed)
                connection.close()
                connection.close()
                connection.send([1])
                connection.finish()
                connection.pauseReading()
                connection.resumeReading()
                depth.subtract(1, ordering: .relaxed)
            })
            let (_, peer) = try await makeConnection(on: loop, recorder)
            try peer.send([1, 2, 3])
            #expect(await recorder.closed() == .local)
            #expect(recorder.log.events == [.received(3), .closed(.local)])
            #expect(try peer.receive(1).isEmpty)
            peer.socket.close()
        }
    }

    @Test("A loop that ends closes its connections and tells why")
    func loopEnds() async throws {
        let loop = try EventLoop(name: "ending")
        let recorders = (0..<10).map { _ in Recorder() }
        var peers: [Peer] = []
        for recorder in recorders { peers.append(try await makeConnection(on: loop, recorder).peer) }
        loop.shutdown()
        await loop.ended()
        for (recorder, peer) in zip(recorders, peers) {
            #expect(recorder.log.events == [.closed(.loopEnded)])
            #expect(try peer.receive(1).isEmpty)
            peer.socket.close()
        }
    }

    @Test("A closed connection and its delegate are freed")
    func frees() async throws {
        try await withLoop { loop in
            weak var connection: Connection?
            weak var delegate: Recorder?
            do {
                let recorder = Recorder()
                delegate = recorder
                let made = try await makeConnection(on: loop, recorder)
                connection = made.connection.value
                made.peer.socket.close()
                _ = await recorder.closed()
            }
            await loop.perform {}
            #expect(connection == nil)
            #expect(delegate == nil)
        }
    }

    @Test("Many connections are echoed at once")
    func manyConnections() async throws {
        try await withLoop { loop in
            let recorder = Recorder(onReceive: { $0.send($1) })
            var peers: [Peer] = []
            for _ in 0..<100 { peers.append(try await makeConnection(on: loop, recorder).peer) }
            for round in 0..<5 as Range<UInt8> {
                for (index, peer) in peers.enumerated() { try peer.send([round, UInt8(index)]) }
                for (index, peer) in peers.enumerated() { #expect(try peer.receive(2) == [round, UInt8(index)]) }
            }
            for peer in peers { peer.socket.close() }
            await recorder.log.wait { events in events.count { $0 == .closed(.peerFinished) } == 100 }
            #expect(await loop.perform { loop.load.watches } == 0)
        }
    }
}
