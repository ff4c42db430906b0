/// Copies and comparisons of runs of bytes, checked once for the whole run.
enum ByteRuns {
    /// Whether `count` bytes of two runs are equal.
    @inline(__always)
    static func areEqual(
        _ left: Span<UInt8>, at leftStart: Int, _ right: Span<UInt8>, at rightStart: Int, count: Int
    ) -> Bool {
        guard count >= 0, leftStart >= 0, rightStart >= 0, left.count - leftStart >= count,
            right.count - rightStart >= count
        else { return false }
        var index = 0
        while count - index >= 8 {
            // Safe: the guard keeps all `count` bytes inside both spans, and eight of them are left.
            let first = unsafe left.bytes.unsafeLoadUnaligned(fromByteOffset: leftStart + index, as: UInt64.self)
            let second = unsafe right.bytes.unsafeLoadUnaligned(fromByteOffset: rightStart + index, as: UInt64.self)
            if first != second { return false }
            index += 8
        }
        while index < count {
            // Safe for the same reason.
            if unsafe left[unchecked: leftStart + index] != right[unchecked: rightStart + index] { return false }
            index += 1
        }
        return true
    }

    /// Writes a run over the bytes from `start`; all of them must exist.
    @inline(__always)
    static func copy(_ source: Span<UInt8>, into target: inout [UInt8], at start: Int) {
        precondition(start >= 0 && target.count - start >= source.count, "a run leaves its block")
        guard !source.isEmpty else { return }
        // Safe: the precondition keeps the run inside the target, and the pointers do not leave the closures.
        unsafe target.withUnsafeMutableBytes { destination in
            unsafe source.withUnsafeBytes { bytes in
                unsafe UnsafeMutableRawBufferPointer(rebasing: destination[start...]).copyMemory(from: bytes)
            }
        }
    }
}
