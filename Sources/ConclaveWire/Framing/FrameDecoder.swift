import ConclaveCore

/// Collects received bytes and cuts them into frames, in place.
///
/// ```
/// buffer   | handed out already | int length | payload | int length | pay…
///                                ^ next
/// ```
///
/// Frames are ranges of `buffer`; nothing is copied out of it. Bytes that were handed out are dropped by `append`, and
/// only when at least as many of them lie in front as would have to be moved, so each byte is moved once at the most on
/// average.
///
/// Memory: what is pending plus at most as much again; a frame is never given room before its bytes are there, so a
/// length alone costs nothing. The caller bounds what is pending by taking out all frames before it appends more.
@usableFromInline
package struct FrameDecoder: Sendable {
    /// Received bytes. A ``ByteReader`` over it must be gone before the next `append`, or that copies the whole buffer.
    @usableFromInline package private(set) var buffer: [UInt8]
    /// The largest payload that is accepted.
    @usableFromInline package let maximumBytes: Int
    /// The first byte not handed out.
    @usableFromInline var next: Int

    /// An empty buffer that has grown beyond this is given back rather than kept for the next frame.
    package static let retainedBytes = 131_072

    package init(maximumBytes: Int = FrameLimit.defaultMaximumBytes) {
        buffer = []
        self.maximumBytes = maximumBytes
        next = 0
    }

    /// Received, not yet handed out.
    @inlinable
    package var pendingBytes: Int { buffer.count - next }

    /// Takes received bytes. Ranges handed out before are void afterwards.
    package mutating func append(_ bytes: Span<UInt8>) {
        compact()
        // Safe: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// Takes the next whole frame.
    ///
    /// - Returns: where its payload lies in `buffer`, valid until the next `append`; `nil` if more bytes are needed.
    /// - Throws: for a length that no frame may have; it throws again on every later call.
    @inlinable
    package mutating func nextFrame() throws(FramingError) -> Range<Int>? {
        guard buffer.count - next >= 4 else { return nil }
        // Safe: the guard above keeps the four bytes inside the array.
        let length = Int32(
            bigEndian: unsafe buffer.span.bytes.unsafeLoadUnaligned(fromByteOffset: next, as: Int32.self))
        guard length >= 0 else { throw .negativeLength(length) }
        guard Int(length) <= maximumBytes else { throw .tooLong(length) }
        let start = next + 4
        guard Int(length) <= buffer.count - start else { return nil }
        next = start + Int(length)
        return start..<next
    }

    private mutating func compact() {
        guard next > 0 else { return }
        if next == buffer.count {
            if buffer.capacity > Self.retainedBytes {
                buffer = []
            } else {
                buffer.removeAll(keepingCapacity: true)
            }
        } else if next >= buffer.count - next {
            buffer.removeSubrange(0..<next)
        } else {
            return
        }
        next = 0
    }
}
