import ConclaveSession

/// Who waits for which request.
///
/// Requests are numbered in order and mostly answered in order, so that a ring addressed by the low bits of the number
/// does for nearly all of them; whom a slow one is in the way of goes into a dictionary.
struct WaiterTable {
    typealias Waiter = UnsafeContinuation<RequestOutcome, Never>

    private enum Slot {
        case free
        /// Submitted; the caller is not waiting yet.
        case coming(RequestID)
        case waiting(RequestID, Waiter)
        /// The answer was faster than the caller.
        case answered(RequestID, RequestOutcome)
    }

    private var ring: [Slot]
    private var overflow: [RequestID: Slot] = [:]

    init() { ring = Array(repeating: .free, count: 256) }

    private func position(_ id: RequestID) -> Int { Int(truncatingIfNeeded: id.rawValue) & (ring.count - 1) }

    /// A request was submitted by somebody who is going to wait.
    mutating func expect(_ id: RequestID) {
        if case .free = ring[position(id)] {
            ring[position(id)] = .coming(id)
        } else {
            if overflow.count * 4 >= ring.count, ring.count < 1 << 17 { grow() }
            if case .free = ring[position(id)] { ring[position(id)] = .coming(id) } else { overflow[id] = .coming(id) }
        }
    }

    /// The caller waits now.
    /// - Returns: the answer, if it is there already; the waiter is not kept then.
    mutating func park(_ id: RequestID, _ waiter: Waiter) -> RequestOutcome? {
        let position = position(id)
        switch ring[position] {
        case .coming(let known) where known == id:
            ring[position] = .waiting(id, waiter)
            return nil
        case .answered(let known, let outcome) where known == id:
            ring[position] = .free
            return outcome
        default: break
        }
        switch overflow[id] {
        case .answered(_, let outcome):
            overflow[id] = nil
            return outcome
        default:
            overflow[id] = .waiting(id, waiter)
            return nil
        }
    }

    /// The answer is here.
    /// - Returns: who is to be resumed with it; `nil` if nobody waits yet or any more.
    mutating func complete(_ id: RequestID, _ outcome: RequestOutcome) -> Waiter? {
        let position = position(id)
        switch ring[position] {
        case .waiting(let known, let waiter) where known == id:
            ring[position] = .free
            return waiter
        case .coming(let known) where known == id:
            ring[position] = .answered(id, outcome)
            return nil
        default: break
        }
        switch overflow[id] {
        case .waiting(_, let waiter):
            overflow[id] = nil
            return waiter
        case .coming: overflow[id] = .answered(id, outcome)
        case .answered, .free, nil: break
        }
        return nil
    }

    /// How many callers there are.
    var count: Int { ring.count { if case .free = $0 { false } else { true } } + overflow.count }

    private mutating func grow() {
        let slots = ring + Array(overflow.values)
        ring = Array(repeating: .free, count: ring.count * 2)
        overflow = [:]
        for slot in slots {
            let id: RequestID
            switch slot {
            case .free: continue
            case .coming(let number), .waiting(let number, _), .answered(let number, _): id = number
            }
            if case .free = ring[position(id)] { ring[position(id)] = slot } else { overflow[id] = slot }
        }
    }
}
