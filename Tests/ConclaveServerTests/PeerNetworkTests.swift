import ConclaveConsensus
import ConclaveCore
import ConclaveSystem
import ConclaveTransport
import Synchronization
import TestLanes
import Testing

@testable import ConclaveServer

/// The connections between servers, without anybody who understands what is said on them.
@Suite("Connections between servers", .live)
struct PeerNetworkTests {
    @Test("A server that does not read is dropped once more than 64 MiB wait for it, and nobody else is")
    func outputLimit() async throws {
        let limit = 64 << 20
        let port = try ReservedPort()
        let loop = try EventLoop(name: "peers")
        let heard = Heard()
        let network = try await loop.perform { () throws(SystemError) in
            let network = PeerNetwork(loop: loop, connectTimeoutMilliseconds: 1_000, delegate: heard)
            try network.listen(try port.listen(), for: .quorum)
            return LoopConfined(network, on: loop)
        }
        let lazy = try PeerSocket(port: port.number)
        let first = await heard.accepted(1)
        let lively = try PeerSocket(port: port.number)
        let second = await heard.accepted(2)

        /// Fills what the system keeps, and then what the network keeps, up to a size.
        func fill(to size: Int) async {
            var waiting = -1
            while waiting != size {
                waiting = await loop.perform {
                    network.withValue { network in
                        let missing = size - network.pendingBytes(on: first)
                        if missing > 0 { network.send([UInt8](repeating: 7, count: missing), on: first) }
                        return network.pendingBytes(on: first)
                    }
                }
                // The end of the turn sends; when nothing of it left, the system is full.
                if waiting == size { waiting = await loop.perform { network.withValue { $0.pendingBytes(on: first) } } }
            }
        }
        await fill(to: limit)
        #expect(heard.closed == [])
        await loop.perform {
            network.withValue { network in
                network.send([8], on: first)
                #expect(network.pendingBytes(on: first) == 0)
            }
        }
        await heard.untilClosed(first)
        await loop.perform { network.withValue { $0.send([1, 2, 3], on: second) } }
        #expect(try lively.bytes(3) == [1, 2, 3])
        #expect(heard.closed == [first])
        await loop.perform { network.withValue { $0.close() } }
        lazy.close()
        lively.close()
        loop.shutdown()
        await loop.ended()
    }
}

/// Writes down which connections came and went.
private final class Heard: PeerNetworkDelegate, Sendable {
    private struct State {
        var accepted: [LinkID] = []
        var closed: [LinkID] = []
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var closed: [LinkID] { state.withLock { $0.closed } }

    /// The connection that came as number `count`.
    func accepted(_ count: Int) async -> LinkID {
        while true {
            if let link = state.withLock({ $0.accepted.dropFirst(count - 1).first }) { return link }
            await change(while: { $0.accepted.count < count })
        }
    }

    func untilClosed(_ link: LinkID) async {
        while !closed.contains(link) { await change(while: { !$0.closed.contains(link) }) }
    }

    /// Returns at the next change, or at once if there is nothing to wait for.
    private func change(while isMissing: (State) -> Bool) async {
        await withCheckedContinuation { waiter in
            let waits = state.withLock { state in
                guard isMissing(state) else { return false }
                state.waiters.append(waiter)
                return true
            }
            if !waits { waiter.resume() }
        }
    }

    private func note(_ change: (inout State) -> Void) {
        let waiters = state.withLock { state in
            change(&state)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func peerAccepted(_ link: LinkID, on port: PeerPort) { note { $0.accepted.append(link) } }
    func peerReceived(_ bytes: Span<UInt8>, on link: LinkID, _ port: PeerPort) {}
    func peerDrained(_ link: LinkID, _ port: PeerPort) {}
    func peerClosed(_ link: LinkID, _ port: PeerPort) { note { $0.closed.append(link) } }
    func peerNote(_ level: LogEvent.Level, _ message: String) {}
}
