import ConclaveCore
import ConclaveWire
import Testing

/// What stands in the data of quorum packets.
struct QuorumPayloadTests {
    private func captured(_ type: String, _ direction: String? = nil) throws -> [ConclaveWire.QuorumPacket] {
        var packets: [ConclaveWire.QuorumPacket] = []
        for vector in Vectors.quorumPackets where vector.type == type {
            guard direction == nil || vector.direction == direction else { continue }
            var decoder = QuorumPacketDecoder()
            decoder.feed(bytes(vector.hex))
            packets.append(try #require(try decoder.next()))
        }
        try #require(!packets.isEmpty)
        return packets
    }

    @Test("Learners say who they are")
    func learnerInfo() throws {
        for packet in try captured("FOLLOWERINFO") + captured("OBSERVERINFO") {
            let info = LearnerInfo(packet.data)
            #expect(info.data == packet.data)
            #expect(info.protocolVersion == 0x10000)
            #expect([1, 3, 9].contains(info.serverID?.rawValue))
        }
    }

    @Test("A learner may say less: number, version and configuration may be missing")
    func shortLearnerInfo() {
        let whole = LearnerInfo(serverID: ServerID(rawValue: 5), configurationVersion: 0x1_0000_0003).data
        for length in 0...whole.count {
            let info = LearnerInfo(Array(whole[..<length]))
            #expect(info.serverID?.rawValue == (length >= 8 ? 5 : nil))
            #expect(info.protocolVersion == (length >= 12 ? 0x10000 : 0))
            #expect(info.configurationVersion == (length >= 20 ? 0x1_0000_0003 : 0))
        }
        #expect(LearnerInfo(nil).serverID == nil)
    }

    @Test("The leader tells the version of the protocol")
    func leaderInfo() throws {
        let packet = try captured("LEADERINFO")[0]
        #expect(try LeaderInfo(packet.data) == LeaderInfo())
        #expect(LeaderInfo().data == packet.data)
        #expect(throws: DecodingError.cut) { try LeaderInfo(nil) }
        #expect(throws: DecodingError.cut) { try LeaderInfo([0, 1, 0]) }
    }

    @Test("The acknowledgement of an epoch carries the current one, or -1")
    func ackEpoch() throws {
        let packets = try captured("ACKEPOCH")
        var epochs: [Int64?] = []
        for packet in packets {
            let ack = try AckEpoch(packet.data)
            #expect(ack.data == packet.data)
            epochs.append(ack.currentEpoch)
        }
        #expect(epochs == [0, nil, 1, 2])
        #expect(throws: DecodingError.cut) { try AckEpoch([0]) }
    }

    @Test("Forwarded requests carry session, number, operation and the body as it came")
    func forwardedRequests() throws {
        for packet in try captured("REQUEST") {
            let request = try ForwardedRequest(packet.data)
            #expect(request.data == packet.data)
            if request.operation == .createSession {
                #expect(request.body == [0, 0, 0x1F, 0x40])
                #expect(packet.identities == nil)
            }
            if request.operation == .closeSession { #expect(request.body.isEmpty) }
            if request.operation == .create {
                #expect(packet.identities?.map(\.scheme) == ["digest", "ip"])
            }
        }
        #expect(throws: DecodingError.null("request")) { try ForwardedRequest(nil) }
        for length in 0..<16 {
            #expect(throws: DecodingError.cut) { try ForwardedRequest([UInt8](repeating: 0, count: length)) }
        }
    }

    @Test("The answer to a ping lists sessions with their timeouts")
    func touches() throws {
        let pings = try captured("PING", "learner->leader")
        #expect(try SessionTouches.decode(pings[0].data) == [])
        let touch = SessionTouch(SessionID(rawValue: 0x0100_0010_AE2B_0000), timeoutMilliseconds: 8000)
        #expect(try SessionTouches.decode(pings[1].data) == [touch])
        #expect(SessionTouches.encode([touch]) == pings[1].data)
        #expect(try SessionTouches.decode(nil) == [])
        #expect(throws: DecodingError.cut) { try SessionTouches.decode([UInt8](repeating: 0, count: 23)) }
    }

    @Test("A session is asked for and confirmed")
    func revalidation() throws {
        let question = try captured("REVALIDATE", "learner->leader")[0]
        let request = try RevalidationRequest(question.data)
        #expect(request.data == question.data)
        #expect(request.timeoutMilliseconds == 8000)
        #expect(!request.isPing)
        var ping = request
        ping.isPing = true
        #expect(ping.data == request.data + [1])
        #expect(try RevalidationRequest(ping.data) == ping)
        let packet = try captured("REVALIDATE", "leader->learner")[0]
        let answer = try RevalidationAnswer(packet.data)
        #expect(answer.data == packet.data)
        #expect(answer.isValid)
        #expect(answer.session == request.session)
        #expect(throws: DecodingError.cut) { try RevalidationAnswer(Array(answer.data.dropLast())) }
        #expect(throws: DecodingError.cut) { try RevalidationRequest(nil) }
    }

    @Test("A proposal keeps the bytes it came as, and a new one has the bytes that the log has")
    func proposals() throws {
        for packet in try captured("PROPOSAL") + captured("INFORM") {
            let proposal = try Proposal(body: packet.data)
            #expect(proposal.zxid == packet.zxid)
            #expect(proposal.body == packet.data)
            #expect(Proposal(proposal.transaction) == proposal)
        }
        #expect(throws: DecodingError.null("proposal")) { try Proposal(body: nil) }
        #expect(throws: DecodingError.cut) { try Proposal(body: []) }
    }

    @Test("An activation names the leader; observers get the proposal with it")
    func activation() throws {
        let commit = try captured("COMMITANDACTIVATE")[0]
        #expect(try Activation(commit.data) == Activation(leader: ServerID(rawValue: 3), body: nil))
        #expect(try Activation(commit.data).data == commit.data)
        let inform = try captured("INFORMANDACTIVATE")[0]
        let activation = try Activation(inform.data)
        #expect(activation.leader.rawValue == 3)
        #expect(activation.data == inform.data)
        #expect(try Proposal(body: activation.body).zxid == inform.zxid)
        #expect(throws: DecodingError.cut) { try Activation(nil) }
    }
}
