/// An array that grows by chunks of a fixed number of elements: growing copies nothing and leaves at most one chunk
/// unused.
///
/// Copies share chunks until one of them writes.
struct ChunkedArray<Element: Sendable>: Sendable {
    private var chunks: [[Element]] = []
    private(set) var count = 0

    private static var shift: UInt32 { 10 }
    private static var mask: UInt32 { 1 << shift - 1 }

    /// The element at an index below ``count``.
    subscript(index: UInt32) -> Element {
        @inline(__always) _read { yield chunks[Int(index >> Self.shift)][Int(index & Self.mask)] }
        @inline(__always) _modify { yield &chunks[Int(index >> Self.shift)][Int(index & Self.mask)] }
    }

    mutating func append(_ element: Element) {
        if count == chunks.count << Int(Self.shift) {
            var chunk: [Element] = []
            chunk.reserveCapacity(1 << Int(Self.shift))
            chunks.append(chunk)
        }
        chunks[chunks.count - 1].append(element)
        count += 1
    }
}
