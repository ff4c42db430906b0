import ConclaveCore

/// The hash under which paths are looked up, keyed by a secret so that clients cannot aim at one bucket.
///
/// Sixteen bytes a step, by folding 128-bit products. Not for anything that leaves the process.
/// Source: the construction of wyhash (Wang Yi, 2019), written anew.
struct PathHash: Sendable {
    private let start: UInt64
    private let first: UInt64
    private let second: UInt64

    init(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        start = random.next()
        first = random.next() | 1
        second = random.next() | 1
    }

    /// Cost: one pass over the bytes.
    @inline(__always)
    func callAsFunction(_ path: Span<UInt8>) -> UInt64 {
        let count = path.count
        var state = start
        var index = 0
        while count - index > 16 {
            state = fold(load(path, index) ^ first, load(path, index + 8) ^ state)
            index += 16
        }
        var low: UInt64 = 0
        var high: UInt64 = 0
        let rest = count - index
        if rest >= 8 {
            low = load(path, index)
            high = load(path, count - 8)
        } else {
            while index < count {
                // Safe: index is below count.
                low = low << 8 | UInt64(unsafe path[unchecked: index])
                index += 1
            }
        }
        return fold(fold(low ^ first, high ^ state), UInt64(truncatingIfNeeded: count) ^ second)
    }

    /// Eight bytes; callers have checked that they are there.
    @inline(__always)
    private func load(_ path: Span<UInt8>, _ index: Int) -> UInt64 {
        UInt64(littleEndian: unsafe path.bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    }

    @inline(__always)
    private func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
