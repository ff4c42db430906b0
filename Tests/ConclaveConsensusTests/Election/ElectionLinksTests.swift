import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// The election links of one server in conversation: one event per line, with what it answers.
struct ElectionLinksTests {
    private static let five = (1...5).map { "server.\($0)=h\($0):1:388\($0)\n" }.joined() + "server.9=h9:1:3889:observer"
    private var links: ElectionLinks
    private var now = Instant(milliseconds: 5_000)

    init() throws {
        links = ElectionLinks(
            options: EnsembleOptions(myID: ServerID(rawValue: 3)),
            configuration: try EnsembleConfiguration(text: Self.five), now: now)
    }

    // MARK: Dialling

    @Test("At the start every other voter is dialled, and no observer")
    mutating func dialsVoters() {
        #expect(links.nextDeadline == now)
        links.tick(now: now)
        #expect(
            links.takeActions()
                == [1, 2, 4, 5].map { .dial(server($0), [ElectionAddress(host: "h\($0)", port: 3_880 + Int($0))]) })
        #expect(links.nextDeadline == .distantFuture)
    }

    @Test("A connection to a smaller id begins with the handshake and is kept")
    mutating func keepsSmaller() {
        dialAll()
        links.dialled(link(1), to: server(2), now: now)
        #expect(links.takeActions() == [.send(link(1), handshake(3, "h3:3883")), .reachable(server(2), true)])
    }

    @Test("A connection to a greater id is a knock: handshake, then closed; it knocks again until it is dialled")
    mutating func knocks() {
        dialAll()
        links.dialled(link(1), to: server(4), now: now)
        #expect(links.takeActions() == [.send(link(1), handshake(3, "h3:3883")), .close(link(1))])
        #expect(links.nextDeadline == now.advanced(byMilliseconds: 50))
        now = links.nextDeadline
        links.tick(now: now)
        #expect(links.takeActions().count == 1)
    }

    @Test("No knock goes out when the greater id dialled meanwhile")
    mutating func crossedKnock() {
        dialAll()
        accept(link(7), from: 4)
        _ = links.takeActions()
        links.dialled(link(1), to: server(4), now: now)
        #expect(links.takeActions() == [.close(link(1))])
    }

    @Test("Tries that fail are repeated after 10, 20, 40 ms and so on up to a second, and reported once")
    mutating func retries() {
        dialAll()
        var waits: [Int64] = []
        for round in 0..<10 {
            links.dialFailed(server(2), now: now)
            #expect(links.takeActions() == (round == 0 ? [.reachable(server(2), false)] : []))
            waits.append(links.nextDeadline.milliseconds(since: now))
            now = links.nextDeadline
            links.tick(now: now)
            #expect(links.takeActions().count == 1)
        }
        #expect(waits == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000])
    }

    @Test("A lost connection is dialled at once by the greater id, and after 50 ms by the smaller")
    mutating func redials() {
        dialAll()
        links.dialled(link(1), to: server(2), now: now)
        links.dialFailed(server(4), now: now)
        accept(link(2), from: 4)
        _ = links.takeActions()
        links.closed(link(1), now: now)
        #expect(links.takeActions() == [.reachable(server(2), false)])
        #expect(links.nextDeadline == now)
        links.tick(now: now)
        #expect(links.takeActions() == [.dial(server(2), [ElectionAddress(host: "h2", port: 3_882)])])
        links.closed(link(2), now: now)
        #expect(links.nextDeadline == now.advanced(byMilliseconds: 50))
    }

    @Test("On request everybody who is not connected is dialled at once")
    mutating func connectAll() {
        dialAll()
        links.dialled(link(1), to: server(2), now: now)
        for id in [1, 4] as [Int64] { links.dialFailed(server(id), now: now) }
        _ = links.takeActions()
        links.connectAll(now: now)
        let dialled = links.takeActions().map { if case .dial(let id, _) = $0 { id.rawValue } else { -1 as Int64 } }
        #expect(dialled == [1, 4])
    }

    // MARK: Accepting

    @Test("A connection from a greater id is kept and takes the place of an older one")
    mutating func keepsGreater() {
        dialAll()
        accept(link(1), from: 5)
        #expect(links.takeActions() == [.reachable(server(5), true)])
        accept(link(2), from: 5)
        #expect(links.takeActions() == [.close(link(1))])
        receive(notification(1), on: link(1))
        #expect(links.takeActions().isEmpty)
        receive(notification(1), on: link(2))
        #expect(links.takeActions() == [.message(vote(1), from: server(5))])
    }

    @Test("A knock of a smaller id is closed and answered by dialling, at the listed and the announced address")
    mutating func dialsBack() {
        links.dialFailed(server(2), now: now)
        _ = links.takeActions()
        accept(link(1), from: 2, "10.0.0.2:9")
        #expect(
            links.takeActions() == [
                .close(link(1)),
                .dial(server(2), [ElectionAddress(host: "h2", port: 3_882), ElectionAddress(host: "10.0.0.2", port: 9)]),
            ])
        accept(link(2), from: 2)
        #expect(links.takeActions() == [.close(link(2))])
    }

    @Test("A knock replaces a connection that the other side has given up, but not one that is just being made")
    mutating func staleConnections() {
        dialAll()
        links.dialled(link(1), to: server(2), now: now)
        _ = links.takeActions()
        accept(link(2), from: 2, "0.0.0.0:3882")
        #expect(links.takeActions() == [.close(link(2))])
        now = now.advanced(byMilliseconds: 200)
        accept(link(3), from: 2, "0.0.0.0:3882")
        #expect(
            links.takeActions() == [
                .close(link(3)), .close(link(1)), .reachable(server(2), false),
                .dial(server(2), [ElectionAddress(host: "h2", port: 3_882)]),
            ])
    }

    @Test("A server with the own id is refused")
    mutating func ownID() {
        accept(link(1), from: 3)
        let actions = links.takeActions()
        #expect(actions.last == .close(link(1)))
        #expect(actions.count == 2)
    }

    @Test("A server that is not listed is dialled back where it says, and can be written to")
    mutating func strangers() {
        accept(link(1), from: 2_000, "10.0.0.9:5")
        #expect(links.takeActions() == [.reachable(server(2_000), true)])
        links.send(vote(1), to: server(2_000), now: now)
        #expect(links.takeActions() == [.send(link(1), notification(1))])
        accept(link(2), from: 0, "10.0.0.8:5")
        #expect(
            links.takeActions() == [.close(link(2)), .dial(server(0), [ElectionAddress(host: "10.0.0.8", port: 5)])])
        // One that says nothing about where it listens cannot be dialled.
        accept(link(3), from: -1, "0.0.0.0:5")
        #expect(links.takeActions() == [.close(link(3))])
    }

    @Test("Anonymous observers get negative ids of their own and keep their connections")
    mutating func anonymous() {
        accept(link(1), from: .max)
        accept(link(2), from: .max)
        #expect(links.takeActions() == [.reachable(server(-1), true), .reachable(server(-2), true)])
    }

    @Test("An observer is not dialled when its connection is gone, unless there is a message for it and its id is smaller")
    mutating func observers() throws {
        accept(link(1), from: 9)
        _ = links.takeActions()
        links.closed(link(1), now: now)
        links.send(vote(1), to: server(9), now: now)
        #expect(links.takeActions() == [.reachable(server(9), false)])
        links.reconfigured(
            try EnsembleConfiguration(text: "server.3=h3:1:2\nserver.2=h2:1:2:observer"), pending: nil, now: now)
        links.send(vote(1), to: server(2), now: now)
        #expect(links.takeActions() == [.dial(server(2), [ElectionAddress(host: "h2", port: 2)])])
    }

    // MARK: Messages

    @Test("Without a connection the newest message waits; a new connection begins with it")
    mutating func newestWins() {
        dialAll()
        for round in 1...3 as ClosedRange<Int64> { links.send(vote(round), to: server(5), now: now) }
        #expect(links.takeActions().isEmpty)
        accept(link(1), from: 5)
        #expect(links.takeActions() == [.reachable(server(5), true), .send(link(1), notification(3))])
    }

    @Test("A new connection repeats the last message, unless that was forgotten")
    mutating func repeatsLast() {
        dialAll()
        accept(link(1), from: 5)
        links.send(vote(1), to: server(5), now: now)
        links.send(vote(2), to: server(5), now: now)
        links.closed(link(1), now: now)
        _ = links.takeActions()
        accept(link(2), from: 5)
        #expect(links.takeActions() == [.reachable(server(5), true), .send(link(2), notification(2))])
        links.forgetMessages()
        accept(link(3), from: 5)
        #expect(links.takeActions() == [.close(link(2))])
    }

    @Test("Handshake and messages may come in one piece or byte by byte")
    mutating func anyCut() {
        let all = handshake(5, "h5:3885") + notification(1) + notification(2)
        let expected: [ElectionLinkAction] = [
            .reachable(server(5), true), .message(vote(1), from: server(5)), .message(vote(2), from: server(5)),
        ]
        links.accepted(link(1), now: now)
        receive(all, on: link(1))
        #expect(links.takeActions() == expected)
        links.closed(link(1), now: now)
        _ = links.takeActions()
        links.accepted(link(2), now: now)
        for byte in all { receive([byte], on: link(2)) }
        #expect(links.takeActions() == expected)
    }

    @Test("Messages that cannot be read are passed over")
    mutating func unreadableMessages() {
        accept(link(1), from: 5)
        _ = links.takeActions()
        receive([0, 0, 0, 3, 1, 2, 3] + notification(1), on: link(1))
        #expect(links.takeActions() == [.message(vote(1), from: server(5))])
    }

    // MARK: Hostile bytes

    @Test(
        "Impossible lengths close that connection and no other",
        arguments: [[0, 0, 0, 0], [0, 8, 0, 1], [0xFF, 0xFF, 0xFF, 0xFF], [0x7F, 0xFF, 0xFF, 0xFF]] as [[UInt8]])
    mutating func badLengths(length: [UInt8]) {
        accept(link(1), from: 5)
        accept(link(2), from: 4)
        _ = links.takeActions()
        receive(notification(1) + length + notification(2), on: link(1))
        let actions = links.takeActions()
        #expect(actions.first == .message(vote(1), from: server(5)))
        #expect(actions.suffix(2) == [.close(link(1)), .reachable(server(5), false)])
        receive(notification(2), on: link(1))
        receive(notification(3), on: link(2))
        #expect(links.takeActions() == [.message(vote(3), from: server(4))])
    }

    @Test("What is no handshake closes the connection; so does taking too long over one")
    mutating func badHandshakes() {
        links.accepted(link(1), now: now)
        receive(Array("GET / HTTP/1.1\r\n".utf8).map { $0 | 0x80 }, on: link(1))
        #expect(links.takeActions().last == .close(link(1)))
        links.accepted(link(2), now: now)
        receive([0xFF, 0xFF], on: link(2))
        #expect(links.nextDeadline == now)
        dialAll()
        #expect(links.nextDeadline == now.advanced(byMilliseconds: 10_000))
        now = links.nextDeadline
        links.tick(now: now)
        #expect(links.takeActions() == [.close(link(2))])
    }

    @Test("At most 64 connections may leave open who they are; the oldest goes")
    mutating func halfOpenLimit() {
        for number in 1...64 { links.accepted(link(UInt64(number)), now: now) }
        #expect(links.takeActions().isEmpty)
        links.accepted(link(65), now: now)
        #expect(links.takeActions() == [.close(link(1))])
    }

    @Test("At most 64 servers may come that are not listed; those that left make room")
    mutating func strangerLimit() {
        for number in 1...64 { accept(link(UInt64(number)), from: Int64(1_000 + number)) }
        #expect(links.takeActions().count == 64)
        accept(link(65), from: 2_000)
        #expect(links.takeActions().last == .close(link(65)))
        links.closed(link(7), now: now)
        _ = links.takeActions()
        accept(link(66), from: 2_000)
        #expect(links.takeActions() == [.reachable(server(2_000), true)])
    }

    @Test("Random bytes never trap and never leave more connections open than allowed")
    mutating func randomBytes() {
        var random = SeededRandom(seed: 3)
        let pieces = [handshake(5, "h5:3885"), handshake(1, "h1:1"), notification(1), handshake(1_234, "x:1")]
        for number in 1...2_000 as ClosedRange<UInt64> {
            links.accepted(link(number), now: now)
            var bytes = pieces[Int.random(in: 0..<4, using: &random)] + pieces[Int.random(in: 0..<4, using: &random)]
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            receive(bytes, on: link(number))
            if Bool.random(using: &random) { links.closed(link(number), now: now) }
            now = now.advanced(byMilliseconds: .random(in: 0...20, using: &random))
            links.tick(now: now)
            for action in links.takeActions() {
                if case .dial(let id, _) = action { links.dialFailed(id, now: now) }
            }
        }
    }

    // MARK: Words for the tests

    private func server(_ id: Int64) -> ServerID { ServerID(rawValue: id) }

    private func link(_ number: UInt64) -> LinkID { LinkID(rawValue: number) }

    private mutating func dialAll() {
        links.tick(now: now)
        _ = links.takeActions()
    }

    private mutating func accept(_ link: LinkID, from server: Int64, _ address: String = "0.0.0.0:1") {
        links.accepted(link, now: now)
        receive(handshake(server, address), on: link)
    }

    private mutating func receive(_ bytes: [UInt8], on link: LinkID) {
        links.received(bytes.span, on: link, now: now)
    }

    private func handshake(_ server: Int64, _ address: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeInt64(-65_536)
        writer.writeInt64(server)
        writer.writeString(address)
        return writer.bytes
    }

    private func vote(_ round: Int64) -> ElectionNotification {
        ElectionNotification(
            state: .looking, leader: server(1), zxid: .zero, round: round, peerEpoch: 0, configuration: [])
    }

    private func notification(_ round: Int64) -> [UInt8] {
        var writer = ByteWriter()
        vote(round).encodeFrame(into: &writer)
        return writer.bytes
    }
}
