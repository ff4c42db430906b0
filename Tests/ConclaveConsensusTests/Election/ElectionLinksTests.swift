import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Who dials and who keeps which connection: one event per line, with what is answered.
struct ElectionLinksTests: LinksConversation {
    var links: ElectionLinks
    var now = Instant(milliseconds: 5_000)

    init() throws { links = try Self.third(now: now) }

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
                .dial(
                    server(2), [ElectionAddress(host: "h2", port: 3_882), ElectionAddress(host: "10.0.0.2", port: 9)]),
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

    @Test(
        "An observer is not dialled when its connection is gone, unless there is a message for it and its id is smaller"
    )
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
}
