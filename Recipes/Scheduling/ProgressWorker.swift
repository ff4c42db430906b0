import ConclaveClient
import ConclaveCore
import Synchronization

/// A worker on a ``ProgressBoard``: reports how far it is, as often as it likes.
///
/// Reporting never waits and never fails: what is newest is written at most once in the board's interval.
public final class ProgressWorker: Sendable {
    private let board: ProgressBoard
    let membership: Membership
    private let report: Mutex<ProgressReport>
    private let news: AsyncStream<Void>.Continuation
    private let writer: Mutex<Task<Void, Never>?>

    init(board: ProgressBoard, membership: Membership, report: ProgressReport) {
        self.board = board
        self.membership = membership
        self.report = Mutex(report)
        let (stream, news) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.news = news
        writer = Mutex(nil)
        let interval = board.interval
        let task = Task.detached { [weak self] in
            for await _ in stream {
                guard await self?.write() != nil else { return }
                // Throws only when cancelled, because the worker has ended.
                guard (try? await Task.sleep(for: interval, clock: .continuous)) != nil else { return }
            }
        }
        writer.withLock { $0 = task }
    }

    deinit { stop() }

    /// The name of the node.
    public var name: String { membership.name }

    /// What was reported last, be it written or not.
    public var current: ProgressReport { report.withLock { $0 } }

    /// Reports; what is not given stays as it was.
    public func report(done: Int64? = nil, total: Int64? = nil, text: String? = nil) {
        report.withLock { report in
            if let done { report.done = done }
            if let total { report.total = total }
            if let text { report.text = text }
        }
        news.yield()
    }

    /// Reports some units more.
    public func advance(by units: Int64 = 1) {
        report.withLock { report in
            let (sum, overflow) = report.done.addingReportingOverflow(units)
            if !overflow { report.done = sum }
        }
        news.yield()
    }

    /// Ends the work and leaves the last report behind for those who look later.
    ///
    /// Returns when it is written; over a lost connection it goes on by itself. Does nothing if the worker has ended.
    ///
    /// - Cost: three requests.
    public func end(_ state: ProgressReport.State = .finished, text: String? = nil) async {
        stop()
        let last = report.withLock { report in
            report.state = state
            if let text { report.text = text }
            return report
        }
        let keeper = membership.keeper
        guard keeper.finish(.released) else { return }
        await board.leave(last, at: keeper.path)
    }

    /// Writes what is newest; a report that does not get through is tried again after the interval.
    private func write() async {
        do {
            try await membership.update(try current.configurationBytes())
        } catch {
            if membership.isMember { news.yield() }
        }
    }

    private func stop() {
        news.finish()
        writer.withLock { $0 }?.cancel()
    }
}
