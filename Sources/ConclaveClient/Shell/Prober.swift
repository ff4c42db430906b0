import ConclaveCore
import ConclaveSystem
import ConclaveTransport

/// Asks one server with the word `isro` whether it has a quorum, on the loop.
final class Prober: ReadinessHandler {
    private let loop: EventLoop
    private var connector: Connector?
    private var socket: Socket?
    private var token: WatchToken?
    private var timer: TimerToken?
    private var answer: [UInt8] = []
    private var completion: ((Bool) -> Void)?

    private static let timeoutMilliseconds: Int64 = 1_000

    /// `completion` is called once, on the loop, never from within the initialiser, unless the prober is cancelled.
    init(loop: EventLoop, address: SocketAddress, _ completion: @escaping (Bool) -> Void) {
        self.loop = loop
        self.completion = completion
        connector = Connector.connect(on: loop, to: address, timeoutMilliseconds: Self.timeoutMilliseconds) { result in
            self.connector = nil
            switch result {
            case .success(let socket): self.ask(socket)
            case .failure: self.finish(false)
            }
        }
    }

    func cancel() {
        completion = nil
        release()
    }

    private func ask(_ socket: Socket) {
        self.socket = socket
        guard case .bytes(4) = socket.send(Array("isro".utf8), from: 0) else { return finish(false) }
        do throws(SystemError) {
            token = try loop.watch(socket.descriptor, for: .readable, handler: self)
        } catch {
            return finish(false)
        }
        let deadline = loop.now.advanced(byMilliseconds: Self.timeoutMilliseconds)
        timer = loop.schedule(at: deadline) { self.finish(false) }
    }

    func ready(_ readiness: Readiness) {
        guard let socket else { return }
        switch socket.receive(atMost: 64, appendingTo: &answer) {
        case .bytes(0), .failed: finish(answer == Array("rw".utf8))
        case .bytes:
            if answer.count > 2 { finish(false) } else if answer.count == 2 { finish(answer == Array("rw".utf8)) }
        case .wouldBlock: break
        }
    }

    func abandoned() {
        token = nil
        finish(false)
    }

    private func finish(_ hasQuorum: Bool) {
        release()
        let completion = completion
        self.completion = nil
        completion?(hasQuorum)
    }

    private func release() {
        connector?.cancel()
        connector = nil
        if let token { loop.remove(token) }
        token = nil
        if let timer { loop.cancel(timer) }
        timer = nil
        socket?.close()
        socket = nil
    }
}
