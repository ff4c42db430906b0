import ConclaveCore
import ConclaveSystem

/// The load of users who do not wait for each other.
///
/// A closed loop stops asking while the server stalls, so that a stall of a second costs one slow request. Here a request has a
/// due time that nothing moves: it is sent as soon as it can be, and its latency counts from when it was due, so that a
/// stall of a second shows in every request that fell into it.
extension Engine {
    /// More than this are not in flight on a connection; further ones wait here, and their latency grows with them.
    static let inFlightLimit = 1_000
    func openLoop(_ workload: inout some Workload, _ run: inout LoadRun, rate: Double) throws {
        guard rate >= 1, rate <= 10_000_000 else { throw LoadError("a rate of \(rate) requests a second") }
        let start = SystemClock.now().nanoseconds
        var schedule = Schedule(
            start: start, rate: rate, warmUpMilliseconds: warmUpMilliseconds, measuredMilliseconds: measuredMilliseconds
        )
        let deadline = schedule.end + patienceMilliseconds * 1_000_000
        var now = start
        var inFlight = 0
        // On whose connection the next request goes out, and on which ones something waits to.
        var turn = 0
        var touched: [Lane] = []
        while schedule.isOpen || inFlight > 0 {
            guard now < deadline else {
                run.failures.record(
                    "no answer \(patienceMilliseconds) ms after the end", times: inFlight + schedule.left)
                break
            }
            if now >= schedule.begin { run.begin(at: now, countingFrom: schedule.begin) }
            var isBlocked = false
            while let due = schedule.due(by: now) {
                let lane = run.lanes[turn]
                guard lane.inFlight < Self.inFlightLimit else {
                    isBlocked = true
                    break
                }
                workload.send(on: lane, at: due)
                schedule.taken()
                run.sent(now - due, dueAt: due)
                inFlight += 1
                touched.append(lane)
                turn = turn + 1 == run.lanes.count ? 0 : turn + 1
            }
            for lane in touched { try run.flush(lane) }
            touched.removeAll(keepingCapacity: true)
            let next = isBlocked ? now + 1_000_000 : min(schedule.next ?? deadline, deadline)
            try run.poller.wait(until: Instant(nanoseconds: next))
            now = SystemClock.now().nanoseconds
            for index in 0..<run.poller.eventCount {
                let lane = run.lane(of: index)
                inFlight -= try run.receive(on: lane, now: now, &workload)
                try run.flush(lane)
            }
        }
        // A server that keeps up has answered at the end; one that does not has taken longer.
        run.end(at: max(now, schedule.end))
    }

    /// When requests are due.
    struct Schedule {
        private let start: Int64
        private let nanosecondsEach: Double
        private var number = 0
        private let count: Int
        let begin: Int64
        let end: Int64

        init(start: Int64, rate: Double, warmUpMilliseconds: Int64, measuredMilliseconds: Int64) {
            self.start = start
            nanosecondsEach = 1e9 / rate
            begin = start + warmUpMilliseconds * 1_000_000
            end = begin + measuredMilliseconds * 1_000_000
            count = Int((Double(end - start) / nanosecondsEach).rounded(.up))
        }

        /// Whether requests are left to be sent.
        var isOpen: Bool { number < count }
        var left: Int { count - number }
        var next: Int64? { isOpen ? start + Int64(Double(number) * nanosecondsEach) : nil }

        /// When the next request was due, if that has come.
        func due(by now: Int64) -> Int64? {
            guard let next, next <= now else { return nil }
            return next
        }

        mutating func taken() { number += 1 }
    }
}
