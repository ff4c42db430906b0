import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// What travels on election links, hostile bytes too: one event per line, with what is answered.
struct ElectionLinkBytesTests: LinksConversation {
    var links: ElectionLinks
    var now = Instant(milliseconds: 5_000)

    init() throws { links = try Self.third(now: now) }

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

    @Test("How long a handshake may take can be chosen")
    mutating func handshakeTime() throws {
        links = try Self.third(now: now) { $0.handshakeTimeoutMilliseconds = 70 }
        dialAll()
        links.accepted(link(1), now: now)
        #expect(links.nextDeadline == now.advanced(byMilliseconds: 70))
        links.tick(now: links.nextDeadline)
        #expect(links.takeActions() == [.close(link(1))])
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
}
