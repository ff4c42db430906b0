import ConclaveCore
import ConclaveSystem
import TestLanes
import Testing

/// Blocks until a descriptor is ready, as tests without a loop must.
func waitUntil(_ interest: Interest, _ socket: Socket) throws(SystemError) {
    var poller = try SystemPoller()
    defer { poller.close() }
    try poller.add(socket.descriptor, key: 1, interest: interest)
    while poller.eventCount == 0 { try poller.wait(until: .distantFuture) }
}

func connectedPair() throws -> (client: Socket, server: Socket, listener: Socket) {
    let listener = try Socket.listen(on: .loopback(port: 0))
    let address = try #require(listener.localAddress)
    let client = try Socket.stream(.ipv4)
    if try client.connect(to: address) == .inProgress {
        try waitUntil(.writable, client)
        try client.finishConnecting()
    }
    try waitUntil(.readable, listener)
    guard case .accepted(let server, let peer) = listener.accept() else {
        throw SystemError("accept")
    }
    #expect(peer == client.localAddress)
    return (client, server, listener)
}

@Suite(.live) struct SocketTests {
    @Test("A connection carries bytes both ways and tells its addresses")
    func carries() throws {
        let (client, server, listener) = try connectedPair()
        defer { for socket in [client, server, listener] { socket.close() } }
        #expect(listener.accept() == .wouldBlock)
        #expect(client.peerAddress == listener.localAddress)
        #expect(server.localAddress == listener.localAddress)
        var bytes: [UInt8] = [9]
        #expect(server.receive(atMost: 8, appendingTo: &bytes) == .wouldBlock)
        #expect(bytes == [9])
        #expect(client.send([0, 1, 2, 3], from: 1) == .bytes(3))
        try waitUntil(.readable, server)
        #expect(server.receive(atMost: 8, appendingTo: &bytes) == .bytes(3))
        #expect(bytes == [9, 1, 2, 3])
        try client.setNoDelay()
        try client.setKeepAlive()
    }

    @Test("IPv6 listeners take IPv4 connections, unless told not to")
    func bothFamilies() throws {
        let listener = try Socket.listen(on: .any6(port: 0))
        defer { listener.close() }
        let port = try #require(listener.localAddress).port
        let client = try Socket.stream(.ipv4)
        defer { client.close() }
        _ = try client.connect(to: .loopback(port: port))
        try waitUntil(.readable, listener)
        guard case .accepted(let server, let peer) = listener.accept() else {
            Issue.record("nothing accepted")
            return
        }
        server.close()
        #expect(peer?.family == .ipv4)
        #expect(peer?.isLoopback == true)
        let only = try Socket.listen(on: .any6(port: 0), onlyIPv6: true)
        only.close()
    }

    @Test("A port in use and a port that nobody listens on say so")
    func failures() throws {
        let listener = try Socket.listen(on: .loopback(port: 0))
        let address = try #require(listener.localAddress)
        let error = #expect(throws: SystemError.self) { try Socket.listen(on: address) }
        #expect(error?.errno == .addressInUse)
        listener.close()
        // A port that is taken, so that nobody else can listen on it.
        let deaf = try Socket.bound(to: .loopback(port: 0))
        let client = try Socket.stream(.ipv4)
        defer {
            deaf.close()
            client.close()
        }
        let nobody = try #require(deaf.localAddress)
        do throws(SystemError) {
            #expect(try client.connect(to: nobody) == .inProgress)
            try waitUntil(.writable, client)
            try client.finishConnecting()
            Issue.record("connected to nobody")
        } catch {
            #expect(error.errno == .connectionRefused)
        }
    }

    @Test("The end of a stream, a broken pipe and a reset are told apart")
    func ends() throws {
        let (client, server, listener) = try connectedPair()
        defer { listener.close() }
        var bytes: [UInt8] = []
        client.finishSending()
        try waitUntil(.readable, server)
        #expect(server.receive(atMost: 8, appendingTo: &bytes) == .bytes(0))
        server.reset()
        try waitUntil(.readable, client)
        #expect(client.receive(atMost: 8, appendingTo: &bytes) == .failed(.connectionReset))
        #expect(client.send([1], from: 0) == .failed(.brokenPipe))
        client.close()
    }

    @Test("A full socket takes a part and then nothing")
    func partial() throws {
        let (left, right) = try Socket.pair()
        defer {
            left.close()
            right.close()
        }
        try left.setSendBuffer(bytes: 4_096)
        let many = [UInt8](repeating: 7, count: 1 << 20)
        guard case .bytes(let count) = left.send(many, from: 0) else {
            Issue.record("nothing sent")
            return
        }
        #expect(count > 0 && count < many.count)
        #expect(left.send(many, from: count) == .wouldBlock)
    }

    @Test("A reserved port stays reserved, whether somebody listens there or not")
    func reservedPort() throws {
        let port = try ReservedPort()
        #expect(port.number > 0)
        for _ in 0..<2 {
            let listener = try port.listen()
            #expect(listener.localAddress == .loopback(port: port.number))
            let taken = #expect(throws: SystemError.self) { _ = try ReservedPort(port.number) }
            #expect(taken?.errno == .addressInUse)
            listener.close()
        }
    }
}
