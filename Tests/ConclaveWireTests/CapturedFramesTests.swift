import ConclaveCore
import ConclaveWire
import Testing

/// Every frame captured from the reference's client port.
struct CapturedFramesTests {
    /// Requests that cannot come back as they went: an operation nobody knows, a body too short, and a null list that
    /// is read as an empty one.
    private static let oneWay: Set<String> = ["unknown-opcode", "short-body", "create-null-acl"]

    private var exchanges: [Vectors.Exchange] { Vectors.clientFrames + Vectors.saslFrames }

    private func operation(_ exchange: Vectors.Exchange) throws -> OperationCode {
        var reader = ByteReader(payload(exchange.request))
        return try RequestHeader(from: &reader).operation
    }

    @Test("The vectors are all there")
    func count() {
        #expect(Vectors.clientFrames.count == 83)
        #expect(Vectors.saslFrames.count == 10)
    }

    @Test("Requests come back byte for byte, whole, cut, embedded and with every byte changed")
    func requests() throws {
        for exchange in exchanges where !exchange.isConnect && !Self.oneWay.contains(exchange.name) {
            try Handling.all(.request(exchange.name, payload(exchange.request)))
        }
    }

    @Test("Replies come back byte for byte, whole, cut, embedded and with every byte changed")
    func replies() throws {
        for exchange in exchanges where !exchange.isConnect {
            guard let response = exchange.response else { continue }
            try Handling.all(.reply(exchange.name, to: try operation(exchange), payload(response)))
        }
    }

    @Test("Notifications come back byte for byte, and the server's way of writing them gives the same")
    func events() throws {
        let frames = exchanges.flatMap(\.events)
        #expect(frames.count == 14)
        for frame in frames {
            try Handling.all(.event(frame, payload(frame)))
            var reader = ByteReader(payload(frame))
            let header = try ReplyHeader(from: &reader)
            #expect(header == ReplyHeader(xid: ReservedXid.notification, zxid: Zxid(rawValue: -1)))
            let event = try WatcherEvent(from: &reader)
            #expect(event.state == WatcherEvent.connectedState)
            #expect(WatchEvent.Kind(rawValue: event.type) != nil)
            #expect(written { $0.writeEventFrame(type: event.type, path: event.path) } == bytes(frame))
        }
    }

    @Test("Connect requests and responses come back byte for byte, with the read-only byte and without")
    func connects() throws {
        for exchange in exchanges where exchange.isConnect {
            let request = payload(exchange.request)
            // Without its last byte the message of a new client is that of an old one.
            let isOld = exchange.name == "connect-old-client"
            try Handling.all(
                .connectRequest(exchange.name, request, wholeAt: isOld ? [] : [request.count - 1]))
            guard let response = exchange.response.map(payload) else { continue }
            try Handling.all(
                .connectResponse(exchange.name, response, wholeAt: isOld ? [] : [response.count - 1]))
        }
    }

    @Test("The answer to a lost session is the captured one")
    func sessionGone() throws {
        let exchange = try #require(exchanges.first { $0.name == "connect-closed-session" })
        #expect(
            written { $0.writeConnectFrame(.sessionGone(readOnly: false)) } == bytes(try #require(exchange.response)))
    }

    @Test("What cannot come back is refused or read as the reference reads it")
    func oneWayRequests() throws {
        func request(_ name: String) throws -> ClientRequest {
            let exchange = try #require(exchanges.first { $0.name == name })
            var reader = ByteReader(payload(exchange.request))
            let header = try RequestHeader(from: &reader)
            return try ClientRequest.decode(header.operation, from: &reader)
        }
        #expect(throws: DecodingError.invalid("operation 99")) { try request("unknown-opcode") }
        #expect(throws: DecodingError.cut) { try request("short-body") }
        let create = CreateRequest(operation: .create, path: "/x", data: [], acl: [], flags: 0)
        #expect(try request("create-null-acl") == .create(create))
    }

    @Test("A failed multi has a header without an error and an error for every part")
    func failedMulti() throws {
        let exchange = try #require(exchanges.first { $0.name == "multi-fail" })
        var reader = ByteReader(payload(try #require(exchange.response)))
        #expect(try ReplyHeader(from: &reader).error == .ok)
        let results = try reader.readMultiResults()
        #expect(results == MultiResult.failures(count: 3, failedAt: 1, .badVersion))
        let failure = try #require(MultiResult.firstFailure(in: results))
        #expect(failure == (1, .badVersion))
    }

    @Test("All frames of a connection, one byte at a time, come out of the decoder as they went in")
    func byteByByte() throws {
        let frames = exchanges.flatMap {
            [bytes($0.request)] + $0.events.map(bytes) + ($0.response.map { [bytes($0)] } ?? [])
        }
        var decoder = FrameDecoder()
        var found: [[UInt8]] = []
        for byte in frames.joined() {
            decoder.append([byte].span)
            while let range = try decoder.nextFrame() { found.append(Array(decoder.buffer[range])) }
        }
        #expect(found == frames.map { Array($0.dropFirst(4)) })
        #expect(decoder.pendingBytes == 0)
    }

    @Test("The path and the flag of a read are found in place")
    func inPlace() throws {
        for exchange in exchanges where exchange.name.hasPrefix("getData") || exchange.name.hasPrefix("exists") {
            var decoder = FrameDecoder()
            decoder.append(bytes(exchange.request).span)
            let range = try #require(try decoder.nextFrame())
            var reader = ByteReader(decoder.buffer, in: range)
            let header = try RequestHeader(from: &reader)
            var second = reader
            let read = try PathAndFlag(from: &reader)
            let path = NodePath(utf8: Array(decoder.buffer[read.path]))
            let request = try ClientRequest.decode(header.operation, from: &second)
            let isExists = header.operation == .exists
            #expect(
                request == (isExists ? .exists(path: path, watch: read.flag) : .getData(path: path, watch: read.flag)))
        }
    }
}
