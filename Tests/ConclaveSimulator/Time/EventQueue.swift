/// What will happen, by time, and at one time in the order in which it was planned.
///
/// A heap of plain values with four children to a node. Times are nanoseconds of true time.
package struct EventQueue: Sendable {
    /// An event without its time: 12 bytes, no references.
    package struct Event: Sendable, Equatable {
        package enum Kind: UInt8, Sendable {
            /// Bytes, or the end of a connection, come to a link's end.
            case delivery
            /// The wish to connect comes to the machine that is dialled.
            case connectArrives
            /// A server learns of a connection.
            case accepted
            /// Whoever dialled learns that it worked.
            case dialSucceeds
            case dialFails
            /// What was sent to an end that is gone comes back as a reset.
            case bounced
            /// Room again in a socket that was full.
            case drained
            case timer
            /// The storage thread has done its oldest order.
            case storage
            case fault
            case faultEnds
            case restart
            /// A planned crash, shortly after a start.
            case crash
            case phase
        }

        package var kind: Kind
        /// Of a process, of a link's end or of a fault.
        package var index: Int32
        /// The incarnation or generation it was meant for; what has another by then is left alone.
        package var stamp: UInt32
    }

    package struct Planned: Sendable {
        package var time: Int64
        package var serial: UInt64
        package var event: Event

        @inline(__always)
        func isBefore(_ other: Planned) -> Bool {
            time < other.time || (time == other.time && serial < other.serial)
        }
    }

    private var heap: [Planned] = []
    private var serial: UInt64 = 0

    package var count: Int { heap.count }

    package init() {}

    package mutating func plan(_ kind: Event.Kind, _ index: Int, stamp: UInt32, at time: Int64) {
        serial += 1
        insert(Planned(time: time, serial: serial, event: Event(kind: kind, index: Int32(index), stamp: stamp)))
    }

    /// Puts off an event; among those of its new time it keeps the place that its first planning gave it.
    package mutating func postpone(_ planned: Planned, to time: Int64) {
        var later = planned
        later.time = time
        insert(later)
    }

    private mutating func insert(_ planned: Planned) {
        heap.append(planned)
        var hole = heap.count - 1
        while hole > 0 {
            let parent = (hole - 1) >> 2
            guard planned.isBefore(heap[parent]) else { break }
            heap[hole] = heap[parent]
            hole = parent
        }
        heap[hole] = planned
    }

    package mutating func next() -> Planned? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last }
        let count = heap.count
        var hole = 0
        while true {
            let firstChild = hole << 2 + 1
            guard firstChild < count else { break }
            var smallest = firstChild
            var child = firstChild + 1
            let end = min(firstChild + 4, count)
            while child < end {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
                child += 1
            }
            guard heap[smallest].isBefore(last) else { break }
            heap[hole] = heap[smallest]
            hole = smallest
        }
        heap[hole] = last
        return first
    }
}
