import ConclaveCore
import ConclaveWire
import TestLanes
import Testing

/// What connections between servers bring about is done when it happens, not when some time has passed: with a tick of a
/// hundred seconds nothing here would end in time otherwise.
@Suite("Promptness", .live)
struct PromptnessTests {
    @Test("A leader that closes its connection without a word is dialled again at once, until it speaks")
    func closedWithoutAWord() async throws {
        try await ScriptedPeer.with { peer in
            try peer.listenForFollowers()
            try peer.joinElection()
            try peer.win()
            for _ in 0..<3 {
                let follower = try peer.follower()
                _ = try follower.packet(.followerInfo)
                follower.close()
            }
            let follower = try peer.follower()
            try peer.lead(follower)
            follower.close()
        }
    }

    @Test("A leader that is nowhere to be found is given up at once, and found in the next election")
    func unreachableLeader() async throws {
        try await ScriptedPeer.with { peer in
            try peer.joinElection()
            try peer.win()
            let round = try peer.untilLooking()
            try peer.listenForFollowers()
            try peer.say(.looking, round: round)
            let follower = try peer.follower()
            try peer.lead(follower)
            follower.close()
        }
    }

    @Test("When the leader goes its follower looks for another at once")
    func leaderGone() async throws {
        try await ScriptedPeer.with { peer in
            try peer.listenForFollowers()
            try peer.joinElection()
            for _ in 0..<3 {
                try peer.win()
                let follower = try peer.follower()
                try peer.lead(follower)
                follower.close()
            }
            try peer.untilLooking()
        }
    }

    @Test("A server that takes connections and dials none is dialled again and again")
    func knocks() async throws {
        try await ScriptedPeer.with { peer in
            try peer.listenForVotes()
            for _ in 0..<3 { try peer.electionConnection().untilClosed() }
        }
    }

    @Test("A lost connection between election ports is made again at once")
    func electionConnectionLost() async throws {
        try await ScriptedPeer.with { peer in
            try peer.joinElection()
            try peer.win()
            try peer.listenForVotes()
            peer.votes?.close()
            try peer.electionConnection().untilClosed()
        }
    }
}
