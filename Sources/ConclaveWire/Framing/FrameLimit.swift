/// How large things on the wire and in files may be.
package enum FrameLimit {
    /// The largest frame that is accepted unless configured otherwise: 2^20 - 1 bytes, the length field not counted.
    ///
    /// Source: `jute.maxbuffer` of the reference.
    package static let defaultMaximumBytes = 1_048_575

    /// The largest entry of a log and record of a snapshot by default: the frame limit twice, since what a server adds
    /// to a request must be readable again.
    ///
    /// Source: `jute.maxbuffer` plus `zookeeper.jute.maxbuffer.extrasize` of the reference.
    package static let defaultMaximumStoredBytes = 2_097_150

    /// The most operations that one multi may hold.
    package static let maximumMultiOperations = 10_000
}

/// Why received bytes are no frame. The connection they came on is beyond repair.
@usableFromInline
package enum FramingError: Error, Equatable, Sendable {
    case negativeLength(Int32)
    /// Longer than the decoder's limit.
    case tooLong(Int32)
}
