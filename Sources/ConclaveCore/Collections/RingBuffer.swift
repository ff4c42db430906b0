/// A queue with constant-time ends that reuses its storage.
///
/// Grows by doubling; whoever owns one bounds what goes in.
@usableFromInline
package struct RingBuffer<Element>: Sequence {
    @usableFromInline var slots: [Element?] = []
    @usableFromInline var head = 0
    @usableFromInline package private(set) var count = 0

    @inlinable
    package init() {}

    @inlinable
    package var isEmpty: Bool { count == 0 }

    @inlinable
    package var first: Element? { count == 0 ? nil : slots[head] }

    @inlinable
    package var last: Element? { count == 0 ? nil : slots[(head + count - 1) & (slots.count - 1)] }

    /// The element `offset` places behind the first; the offset must be below `count`.
    @inlinable
    package subscript(offset: Int) -> Element {
        precondition(offset >= 0 && offset < count, "element \(offset) of \(count)")
        // Cannot be nil: the places from `head` on, `count` of them, are filled.
        return slots[(head + offset) & (slots.count - 1)]!
    }

    @inlinable
    package mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    @inlinable
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        // Moved out, not copied: elements may be large and refer to many things.
        var element: Element?
        swap(&element, &slots[head])
        head = (head + 1) & (slots.count - 1)
        count -= 1
        return element
    }

    /// Takes out the first element if it is the one that is meant.
    @inlinable
    package mutating func popFirst(where isMeant: (borrowing Element) -> Bool) -> Element? {
        guard count > 0, let isFirst = slots[head].map({ isMeant($0) }), isFirst else { return nil }
        return popFirst()
    }

    @inlinable
    package mutating func popLast() -> Element? {
        guard count > 0 else { return nil }
        let slot = (head + count - 1) & (slots.count - 1)
        let element = slots[slot]
        slots[slot] = nil
        count -= 1
        return element
    }

    @inlinable
    package mutating func removeAll() { self = RingBuffer() }

    @inlinable
    mutating func grow() {
        var larger = [Element?](repeating: nil, count: Swift.max(4, slots.count * 2))
        for index in 0..<count { larger[index] = slots[(head + index) & (slots.count - 1)] }
        slots = larger
        head = 0
    }

    @inlinable
    package func makeIterator() -> AnyIterator<Element> {
        var index = 0
        return AnyIterator {
            guard index < count else { return nil }
            defer { index += 1 }
            return slots[(head + index) & (slots.count - 1)]
        }
    }
}

extension RingBuffer: Sendable where Element: Sendable {}
