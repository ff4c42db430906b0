import ConclaveCore
import ConclaveSystem

/// One attempt to connect, on a loop, with a deadline.
///
/// The loop keeps it until it is done. Exactly one call of `completion`, never from within
/// ``connect(on:to:timeoutMilliseconds:_:)``, unless it is cancelled.
package final class Connector {
    package typealias Completion = (Result<Socket, SystemError>) -> Void

    private let loop: EventLoop
    private let address: SocketAddress
    private var socket: Socket?
    private var watch: WatchToken?
    private var timer: TimerToken?
    private var completion: Completion?
    /// Why it could not even start.
    private var failure: SystemError?

    /// Starts connecting; a socket that is handed out belongs to the callee and has TCP_NODELAY set.
    @discardableResult
    package static func connect(
        on loop: EventLoop, to address: SocketAddress, timeoutMilliseconds: Int64, _ completion: @escaping Completion
    ) -> Connector {
        let connector = Connector(loop: loop, address: address, completion: completion)
        connector.start(timeoutMilliseconds: timeoutMilliseconds)
        return connector
    }

    private init(loop: EventLoop, address: SocketAddress, completion: @escaping Completion) {
        self.loop = loop
        self.address = address
        self.completion = completion
    }

    /// Gives up; `completion` is not called.
    package func cancel() {
        completion = nil
        end()?.close()
    }

    private func start(timeoutMilliseconds: Int64) {
        do throws(SystemError) {
            let socket = try Socket.stream(address.family)
            self.socket = socket
            try socket.setNoDelay()
            if try socket.connect(to: address) == .connected {
                return loop.atTurnEnd(self)
            }
            watch = try loop.watch(socket.descriptor, for: .writable, handler: self)
            let deadline = loop.now.advanced(byMilliseconds: timeoutMilliseconds)
            timer = loop.schedule(at: deadline) {
                self.complete(SystemError("connect \(self.address)", errno: .timedOut))
            }
        } catch {
            failure = error
            loop.atTurnEnd(self)
        }
    }

    /// Lets go of everything; the socket is the caller's.
    private func end() -> Socket? {
        if let watch { loop.remove(watch) }
        if let timer { loop.cancel(timer) }
        watch = nil
        timer = nil
        defer { socket = nil }
        return socket
    }

    private func complete(_ error: SystemError?) {
        guard let completion else { return }
        self.completion = nil
        let socket = end()
        if let error {
            socket?.close()
            completion(.failure(error))
        } else if let socket {
            completion(.success(socket))
        }
    }
}

extension Connector: ReadinessHandler {
    package func ready(_ readiness: Readiness) {
        guard let socket else { return }
        do throws(SystemError) {
            try socket.finishConnecting()
            complete(nil)
        } catch {
            complete(SystemError("connect \(address)", errno: error.errno))
        }
    }

    package func abandoned() {
        watch = nil
        complete(SystemError("connect \(address)", errno: .cancelled))
    }
}

extension Connector: TurnEndHandler {
    /// The outcome was known at once.
    func turnEnded() { complete(failure) }
}
