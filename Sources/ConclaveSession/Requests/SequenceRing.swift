/// A first-in first-out queue whose elements are found again by a growing number.
///
/// Elements leave at the front; an element in the middle is reached by binary search over its number. Storage is a
/// power of two that doubles when full and is kept.
@frozen
package struct SequenceRing<Element: SequenceNumbered> {
    @usableFromInline var slots: [Element?]
    @usableFromInline var head: Int
    @usableFromInline package private(set) var count: Int

    @inlinable
    package init() {
        slots = Array(repeating: nil, count: 16)
        head = 0
        count = 0
    }

    @inlinable
    package var isEmpty: Bool { count == 0 }

    @inlinable
    package var first: Element? { count == 0 ? nil : slots[head] }

    /// The number must be above that of the last element.
    @inlinable
    package mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head &+ count) & (slots.count &- 1)] = element
        count &+= 1
    }

    @inlinable
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = (head &+ 1) & (slots.count &- 1)
        count &-= 1
        return element
    }

    /// Drops the element that was appended last.
    @inlinable
    package mutating func removeLast() {
        guard count > 0 else { return }
        count &-= 1
        slots[(head &+ count) & (slots.count &- 1)] = nil
    }

    /// Changes the element with that number, if it is still here.
    /// - Returns: whether it was.
    @inlinable
    package mutating func update(_ number: UInt64, _ change: (inout Element) -> Void) -> Bool {
        var low = 0
        var high = count
        while low < high {
            let middle = (low &+ high) / 2
            let slot = (head &+ middle) & (slots.count &- 1)
            // Every slot between head and head + count is filled.
            guard var element = slots[slot] else { return false }
            if element.number == number {
                slots[slot] = nil
                change(&element)
                slots[slot] = element
                return true
            }
            if element.number < number { low = middle &+ 1 } else { high = middle }
        }
        return false
    }

    @inlinable
    mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(slots.count * 2)
        for offset in 0..<count { larger.append(slots[(head &+ offset) & (slots.count &- 1)]) }
        larger.append(contentsOf: repeatElement(nil, count: slots.count * 2 - count))
        slots = larger
        head = 0
    }
}

extension SequenceRing: Sendable where Element: Sendable {}

/// An element of a ``SequenceRing``.
package protocol SequenceNumbered {
    /// Greater than that of every element before it.
    var number: UInt64 { get }
}
