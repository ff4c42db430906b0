import ConclaveCore
import ConclaveSystem

/// Accepts connections on a loop.
///
/// When the process or the system has no descriptor left, connections that wait would make the loop spin: the listener
/// then gives up a descriptor it holds in reserve to accept and close them, tells `onShortage`, and leaves the rest
/// alone for ``pauseMilliseconds``. Connections that exist are served on.
package final class Listener {
    /// A connection came. The socket belongs to the callee.
    package typealias Acceptance = (_ socket: Socket, _ peer: SocketAddress?) -> Void
    /// Accepting failed for want of descriptors or memory; so many waiting connections were closed.
    package typealias Shortage = (_ errno: Errno, _ closedCount: Int) -> Void

    static let acceptsPerTurn = 64
    /// How long accepting rests after a shortage.
    package static let pauseMilliseconds: Int64 = 100

    package let loop: EventLoop
    private let socket: Socket
    private let acceptOne: (Socket) -> Socket.AcceptResult
    private let onAccept: Acceptance
    private let onShortage: Shortage
    private var watch: WatchToken?
    private var reserve: FileDescriptor?
    private var pause: TimerToken?
    package private(set) var acceptedCount = 0
    /// Connections closed for want of descriptors.
    package private(set) var droppedCount = 0

    /// Takes over a socket that listens, which it closes in the end; also if this throws. Called on the loop, as are
    /// the callbacks.
    ///
    /// - Parameter acceptOne: for tests; the system's accept otherwise.
    package init(
        loop: EventLoop, socket: Socket, acceptOne: @escaping (Socket) -> Socket.AcceptResult = { $0.accept() },
        onShortage: @escaping Shortage = { _, _ in }, onAccept: @escaping Acceptance
    ) throws(SystemError) {
        self.loop = loop
        self.socket = socket
        self.acceptOne = acceptOne
        self.onShortage = onShortage
        self.onAccept = onAccept
        reserve = try? FileDescriptor.reserve()  // Without one, waiting connections just wait.
        do throws(SystemError) {
            watch = try loop.watch(socket.descriptor, for: .readable, handler: self)
        } catch {
            reserve?.close()
            socket.close()
            throw error
        }
    }

    /// Where it listens, with the port that the system chose; `nil` once it is closed.
    package var address: SocketAddress? { watch == nil ? nil : socket.localAddress }

    /// Whether accepting rests after a shortage.
    package var isResting: Bool { pause != nil }

    /// Stops listening; connections that wait are refused by the system.
    package func close() {
        guard let watch else { return }
        loop.remove(watch)
        self.watch = nil
        release()
    }

    private func release() {
        socket.stopListening()
        reserve?.close()
        reserve = nil
        if let pause { loop.cancel(pause) }
        pause = nil
    }

    private func accept() {
        for _ in 0..<Self.acceptsPerTurn {
            // The callback may close the listener.
            guard watch != nil else { return }
            switch acceptOne(socket) {
            case .accepted(let accepted, let peer):
                acceptedCount += 1
                onAccept(accepted, peer)
            case .aborted: continue
            case .wouldBlock: return
            case .failed(let errno): return rest(after: errno)
            }
        }
    }

    private func rest(after errno: Errno) {
        let closed = errno.isDescriptorShortage ? dropWaiting() : 0
        droppedCount += closed
        if let watch { loop.update(watch, to: []) }
        let end = loop.now.advanced(byMilliseconds: Self.pauseMilliseconds)
        pause = loop.schedule(at: end) { [weak self] in self?.wakeUp() }
        onShortage(errno, closed)
    }

    /// Accepts with the reserve's number and closes, so that those who wait learn at once that they must go elsewhere.
    private func dropWaiting() -> Int {
        var count = 0
        for _ in 0..<Self.acceptsPerTurn {
            guard let held = reserve else { break }
            held.close()
            reserve = nil
            let result = acceptOne(socket)
            if case .accepted(let accepted, _) = result {
                accepted.close()
                count += 1
            }
            reserve = try? FileDescriptor.reserve()  // Somebody else may have taken it; the next rest tries again.
            guard case .accepted = result else { break }
        }
        return count
    }

    private func wakeUp() {
        pause = nil
        guard let watch else { return }
        if reserve == nil { reserve = try? FileDescriptor.reserve() }  // As above.
        loop.update(watch, to: .readable)
    }
}

extension Listener: ReadinessHandler {
    package func ready(_ readiness: Readiness) { accept() }

    package func abandoned() {
        watch = nil
        release()
    }
}
