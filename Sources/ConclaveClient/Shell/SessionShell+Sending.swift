import ConclaveSession
import ConclaveSystem
import ConclaveTransport
import Synchronization

extension SessionShell {
    /// So many times one sender sends what others have added meanwhile; then the loop goes on, so that nobody is kept
    /// for long.
    private static let roundsPerSender = 16

    /// Sends until there is nothing left. Any thread.
    func send(_ first: consuming SendJob) {
        var job = first
        for _ in 0..<Self.roundsPerSender {
            let result = job.socket.socket.send(job.bytes, from: job.offset)
            switch state.withLock({ $0.finished(job, result) }) {
            case .done: return
            case .more(let next): job = next
            case .blocked: return loop.submit { self.awaitWritable() }
            }
        }
        let rest = job
        loop.submit { self.send(rest) }
    }

    /// Sends what there is, if nobody else does.
    func flush() {
        if let job = state.withLock({ $0.beginSending() }) { send(job) }
    }
}
