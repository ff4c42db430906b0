import ConclaveConsensus
import ConclaveCore
import ConclaveWire

/// Words for tests that talk to the election links of one server, number 3 of five voters and an observer.
protocol LinksConversation {
    var links: ElectionLinks { get set }
    var now: Instant { get set }
}

extension LinksConversation {
    static func third(
        now: Instant, _ configure: (inout EnsembleOptions) -> Void = { _ in }
    ) throws -> ElectionLinks {
        var options = EnsembleOptions(myID: ServerID(rawValue: 3))
        configure(&options)
        let five = (1...5).map { "server.\($0)=h\($0):1:388\($0)\n" }.joined() + "server.9=h9:1:3889:observer"
        return ElectionLinks(
            options: options, configuration: try EnsembleConfiguration(text: five),
            now: now)
    }

    func server(_ id: Int64) -> ServerID { ServerID(rawValue: id) }

    func link(_ number: UInt64) -> LinkID { LinkID(rawValue: number) }

    mutating func dialAll() {
        links.tick(now: now)
        _ = links.takeActions()
    }

    mutating func accept(_ link: LinkID, from server: Int64, _ address: String = "0.0.0.0:1") {
        links.accepted(link, now: now)
        receive(handshake(server, address), on: link)
    }

    mutating func receive(_ bytes: [UInt8], on link: LinkID) {
        links.received(bytes.span, on: link, now: now)
    }

    func handshake(_ server: Int64, _ address: String) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeInt64(-65_536)
        writer.writeInt64(server)
        writer.writeString(address)
        return writer.bytes
    }

    func vote(_ round: Int64) -> ElectionNotification {
        ElectionNotification(
            state: .looking, leader: server(1), zxid: .zero, round: round, peerEpoch: 0, configuration: [])
    }

    func notification(_ round: Int64) -> [UInt8] {
        var writer = ByteWriter()
        vote(round).encodeFrame(into: &writer)
        return writer.bytes
    }
}
