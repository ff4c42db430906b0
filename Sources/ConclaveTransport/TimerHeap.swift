import ConclaveCore

/// Names one scheduled timer. Cancelling a timer that has fired or been cancelled already does nothing.
package struct TimerToken: Hashable, Sendable {
    let slot: Int32
    let generation: UInt32
}

/// Timers ordered by deadline, those of one deadline in the order they were made.
///
/// A binary heap of slots, where each slot knows its place in the heap: adding, cancelling and firing cost O(log n),
/// and a cancelled timer leaves nothing behind. Storage is reused; at most 2^31 timers.
package struct TimerHeap<Payload> {
    private struct Slot {
        var generation: UInt32
        var deadline: Instant
        var sequence: UInt64
        /// Where the heap has it, or -1 if the slot is free.
        var place: Int
        var payload: Payload?
    }

    private var slots: [Slot] = []
    private var freeSlots: [Int32] = []
    private var heap: [Int32] = []
    private var nextSequence: UInt64 = 0

    package var count: Int { heap.count }

    /// How many slots there are: the most timers that ever waited at once.
    package var slotCount: Int { slots.count }

    /// When the next timer is due.
    package var nextDeadline: Instant? { heap.first.map { slots[Int($0)].deadline } }

    package init() {}

    package mutating func add(at deadline: Instant, _ payload: Payload) -> TimerToken {
        let slot: Int32
        if let reused = freeSlots.popLast() {
            slot = reused
        } else {
            slot = Int32(slots.count)
            slots.append(Slot(generation: 0, deadline: deadline, sequence: 0, place: -1, payload: nil))
        }
        let index = Int(slot)
        slots[index].deadline = deadline
        slots[index].sequence = nextSequence
        slots[index].payload = payload
        nextSequence &+= 1
        heap.append(slot)
        slots[index].place = heap.count - 1
        moveUp(from: heap.count - 1)
        return TimerToken(slot: slot, generation: slots[index].generation)
    }

    /// Takes a timer out; `nil` if it is not there any more.
    @discardableResult
    package mutating func cancel(_ token: TimerToken) -> Payload? {
        let index = Int(token.slot)
        guard index < slots.count, slots[index].generation == token.generation, slots[index].place >= 0 else {
            return nil
        }
        return remove(at: slots[index].place)
    }

    /// Takes out the next timer that is due.
    package mutating func popDue(now: Instant) -> Payload? {
        guard let first = heap.first, slots[Int(first)].deadline <= now else { return nil }
        return remove(at: 0)
    }

    /// Takes all timers out.
    package mutating func removeAll() { while !heap.isEmpty { _ = remove(at: heap.count - 1) } }

    private mutating func remove(at place: Int) -> Payload? {
        let slot = heap[place]
        let last = heap.removeLast()
        if place < heap.count {
            heap[place] = last
            slots[Int(last)].place = place
            moveUp(from: place)
            moveDown(from: slots[Int(last)].place)
        }
        let index = Int(slot)
        let payload = slots[index].payload
        slots[index].payload = nil
        slots[index].place = -1
        slots[index].generation &+= 1
        freeSlots.append(slot)
        return payload
    }

    private func isEarlier(_ left: Int32, than right: Int32) -> Bool {
        let (first, second) = (Int(left), Int(right))
        if slots[first].deadline != slots[second].deadline { return slots[first].deadline < slots[second].deadline }
        return slots[first].sequence < slots[second].sequence
    }

    private mutating func moveUp(from start: Int) {
        var place = start
        let slot = heap[place]
        while place > 0 {
            let parent = (place - 1) / 2
            guard isEarlier(slot, than: heap[parent]) else { break }
            heap[place] = heap[parent]
            slots[Int(heap[place])].place = place
            place = parent
        }
        heap[place] = slot
        slots[Int(slot)].place = place
    }

    private mutating func moveDown(from start: Int) {
        var place = start
        let slot = heap[place]
        while true {
            var child = 2 * place + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, isEarlier(heap[child + 1], than: heap[child]) { child += 1 }
            guard isEarlier(heap[child], than: slot) else { break }
            heap[place] = heap[child]
            slots[Int(heap[place])].place = place
            place = child
        }
        heap[place] = slot
        slots[Int(slot)].place = place
    }
}
