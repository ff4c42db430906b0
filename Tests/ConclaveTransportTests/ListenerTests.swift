import ConclaveCore
import ConclaveSystem
import ConclaveTransport
import Synchronization
import TestLanes
import Testing

@Suite(.live, .serialized) struct ListenerTests {
    private enum Event: Equatable, Sendable {
        case accepted(SocketAddress?)
        case shortage(Errno, closed: Int)
    }

    /// A server that echoes.
    private func makeServer(
        on loop: EventLoop, _ log: Log<Event>, recorder: Recorder = Recorder(onReceive: { $0.send($1) }),
        acceptOne: @escaping @Sendable (Socket) -> Socket.AcceptResult = { $0.accept() }
    ) async throws -> (listener: Confined<Listener>, address: SocketAddress) {
        let socket = try Socket.listen(on: .loopback(port: 0))
        let address = try #require(socket.localAddress)
        let listener = try await loop.perform {
            Confined(
                try Listener(
                    loop: loop, socket: socket, acceptOne: acceptOne,
                    onShortage: { log.append(.shortage($0, closed: $1)) },
                    onAccept: { socket, peer in
                        log.append(.accepted(peer))
                        _ = try? Connection(loop: loop, socket: socket, peerAddress: peer, delegate: recorder)
                    }))
        }
        return (listener, address)
    }

    @Test("Connections are accepted with their address, and outlive the listener")
    func accepts() async throws {
        try await withLoop { loop in
            let log = Log<Event>()
            let (listener, address) = try await makeServer(on: loop, log)
            #expect(await loop.perform { listener.value.address } == address)
            let peer = try Peer(connectingTo: address)
            try peer.send([1, 2])
            #expect(try peer.receive(2) == [1, 2])
            #expect(log.events == [.accepted(peer.socket.localAddress)])
            await loop.perform {
                #expect(listener.value.acceptedCount == 1)
                listener.value.close()
                listener.value.close()
                #expect(listener.value.address == nil)
                // The connection stays.
                #expect(loop.load.watches == 1)
            }
            try peer.send([3])
            #expect(try peer.receive(1) == [3])
            peer.socket.close()
        }
    }

    @Test("A connector connects, is refused, times out, or is cancelled in silence")
    func connectors() async throws {
        try await withLoop { loop in
            let log = Log<Event>()
            let (listener, address) = try await makeServer(on: loop, log)
            let connect = { (address: SocketAddress, timeout: Int64) async -> Result<Socket, SystemError> in
                await withCheckedContinuation { waiter in
                    loop.submit {
                        Connector.connect(on: loop, to: address, timeoutMilliseconds: timeout) {
                            waiter.resume(returning: $0)
                        }
                    }
                }
            }
            let peer = try Peer(try await connect(address, 60_000).get())
            try peer.send([5])
            #expect(try peer.receive(1) == [5])
            peer.socket.close()
            await loop.perform {
                Connector.connect(on: loop, to: address, timeoutMilliseconds: 1_000) { _ in Issue.record("called") }
                    .cancel()
                listener.value.close()
            }
            let deaf = try Socket.bound(to: .loopback(port: 0))
            defer { deaf.close() }
            guard case .failure(let refused) = await connect(try #require(deaf.localAddress), 60_000) else {
                Issue.record("connected to nobody")
                return
            }
            #expect(refused.errno == .connectionRefused)
            // A listener that accepts nothing and whose queue is full leaves attempts hanging.
            let full = try Socket.listen(on: .loopback(port: 0), backlog: 0)
            let fullAddress = try #require(full.localAddress)
            var waiting: [Socket] = []
            var last = Result<Socket, SystemError>.failure(SystemError("none"))
            for _ in 0..<4 {
                last = await connect(fullAddress, 20)
                if case .success(let socket) = last { waiting.append(socket) } else { break }
            }
            guard case .failure(let late) = last else {
                Issue.record("the queue never filled")
                return
            }
            #expect(late.errno == .timedOut)
            for socket in waiting + [full] { socket.close() }
            #expect(await loop.perform { loop.load.timers } == 0)
        }
    }

    @Test("Without descriptors accepting rests, closes those who wait, serves the others on and comes back")
    func shortage() async throws {
        try await withLoop { loop in
            let log = Log<Event>()
            let isShort = Atomic(false)
            let failures = Atomic(0)
            // While short, every first call fails; the second, made with the reserve's number, works.
            let (listener, address) = try await makeServer(on: loop, log) { socket in
                if isShort.load(ordering: .relaxed), failures.add(1, ordering: .relaxed).newValue % 2 == 1 {
                    return .failed(.tooManyOpenFiles)
                }
                return socket.accept()
            }
            let served = try Peer(connectingTo: address)
            try served.send([1])
            #expect(try served.receive(1) == [1])
            isShort.store(true, ordering: .relaxed)
            let dropped = try Peer(connectingTo: address)
            #expect(try dropped.receive(1).isEmpty)
            await log.wait { $0.contains(.shortage(.tooManyOpenFiles, closed: 1)) }
            #expect(await loop.perform { listener.value.droppedCount } == 1)
            try served.send([2])
            #expect(try served.receive(1) == [2])
            isShort.store(false, ordering: .relaxed)
            let late = try Peer(connectingTo: address)
            try late.send([3])
            #expect(try late.receive(1) == [3])
            for peer in [served, dropped, late] { peer.socket.close() }
        }
    }

    @Test("A connection that is given up while it waits is no reason to rest")
    func aborted() async throws {
        try await withLoop { loop in
            let log = Log<Event>()
            let calls = Atomic(0)
            let (_, address) = try await makeServer(on: loop, log) { socket in
                calls.add(1, ordering: .relaxed).newValue == 1 ? .aborted : socket.accept()
            }
            let peer = try Peer(connectingTo: address)
            try peer.send([1])
            #expect(try peer.receive(1) == [1])
            #expect(log.events.count == 1)
            peer.socket.close()
        }
    }

    @Test("Two thousand connections opened and dropped leave no descriptor behind")
    func noLeak() async throws {
        try await withLoop { loop in
            let log = Log<Event>()
            let recorder = Recorder(onReceive: { $0.send($1) })
            let (_, address) = try await makeServer(on: loop, log, recorder: recorder)
            let served = { (peer: Peer) throws in
                try peer.send([1])
                #expect(try peer.receive(1) == [1])
            }
            for round in 0..<20 {
                let peers = try (0..<100).map { _ in try Peer(connectingTo: address) }
                if round % 2 == 0 { for peer in peers { try served(peer) } }
                for (index, peer) in peers.enumerated() { index % 3 == 0 ? peer.socket.reset() : peer.socket.close() }
            }
            await recorder.log.wait { events in
                events.count {
                    if case .closed = $0 { true } else { false }
                } == 2_000
            }
            #expect(await loop.perform { loop.load.watches } == 1)
            // Of all descriptors of the process only the listener still has this port. Other tests use others.
            let limit = Int32(clamping: try #require(ProcessStatistics.current().maximumDescriptors))
            let open = (0..<min(limit, 10_000)).filter {
                Socket(FileDescriptor(rawValue: $0)).localAddress?.port == address.port
            }
            #expect(open.count == 1)
            #expect(await loop.perform { loop.load.timers } == 0)
        }
    }
}
