import ConclaveCore

/// Cuts the bytes of a connection between servers into packets.
///
/// ```
/// buffer   | handed out already | whole packet | packet, its end not yet th…
///                                ^ start                   ^ start + wanted
/// ```
///
/// A packet has no length in front, so its end is found by walking over its lengths. Where the bytes run out, `wanted`
/// remembers how many there must be before another walk can get further: many small pieces of one packet cost as little
/// as one piece. A length costs nothing before its bytes are there.
///
/// Between packets the stream may turn into something else, the raw snapshot: ``takeRest()`` gives back what was received
/// behind the last packet.
package struct QuorumPacketDecoder: Sendable {
    /// The most identities that one packet may carry.
    package static let maximumIdentities = 1_000
    /// The longest scheme or id of an identity in bytes.
    package static let maximumIdentityBytes = 65_536

    /// The longest data that is accepted in bytes.
    package let maximumBytes: Int
    private var buffer: [UInt8] = []
    private var start = 0
    /// How many bytes behind `start` must be there before it is worth looking at the packet.
    private var wanted = QuorumPacket.minimumBytes

    /// - Parameter maximumBytes: the longest data; by default what an entry of a log may take, since every proposal becomes
    ///   one.
    package init(maximumBytes: Int = FrameLimit.defaultMaximumStoredBytes) { self.maximumBytes = maximumBytes }

    /// Received, not yet handed out.
    package var pendingBytes: Int { buffer.count - start }

    package mutating func append(_ bytes: Span<UInt8>) {
        compact()
        // Safe: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// Takes the next whole packet; `nil` if more bytes are needed.
    ///
    /// - Throws: for bytes that no packet begins with; it throws again on every later call.
    package mutating func next() throws(QuorumPacketError) -> QuorumPacket? {
        guard pendingBytes >= wanted, let layout = try layout() else { return nil }
        let packet = QuorumPacket(
            layout.kind, zxid: layout.zxid, data: layout.data.map { Array(buffer[$0]) },
            identities: layout.hasIdentities ? identities(in: layout.identities) : nil)
        start = layout.identities.upperBound
        wanted = QuorumPacket.minimumBytes
        return packet
    }

    /// Gives up all bytes that were received behind the last packet: they are no packets. What is appended afterwards is
    /// again.
    package mutating func takeRest() -> [UInt8] {
        defer {
            buffer = []
            start = 0
            wanted = QuorumPacket.minimumBytes
        }
        return start == 0 ? buffer : Array(buffer[start...])
    }

    /// Where the parts of a whole packet lie.
    private struct Layout {
        let kind: QuorumPacket.Kind
        let zxid: Zxid
        let data: Range<Int>?
        let hasIdentities: Bool
        /// The vector with its count, to the end of the packet.
        let identities: Range<Int>
    }

    /// Walks over the packet at `start`; `nil`, with `wanted` raised, if it is not whole.
    private mutating func layout() throws(QuorumPacketError) -> Layout? {
        var position = start
        guard let kindNumber = int32(at: &position) else { return nil }
        guard let kind = QuorumPacket.Kind(rawValue: kindNumber) else { throw .unknownKind(kindNumber) }
        guard let upper = int32(at: &position), let lower = int32(at: &position) else { return nil }
        let zxid = Zxid(epoch: UInt32(bitPattern: upper), counter: UInt32(bitPattern: lower))
        guard let length = int32(at: &position) else { return nil }
        guard length >= -1, Int(length) <= maximumBytes else { throw .badLength(length) }
        var data: Range<Int>?
        if length >= 0 {
            data = position..<(position + Int(length))
            position += Int(length)
        }
        let identities = position
        guard let count = int32(at: &position) else { return nil }
        guard count >= -1, Int(count) <= Self.maximumIdentities else { throw .badIdentities }
        // Two texts for each.
        for _ in 0..<(2 * max(0, Int(count))) {
            guard let length = int32(at: &position) else { return nil }
            guard length >= -1, Int(length) <= Self.maximumIdentityBytes else { throw .badIdentities }
            position += max(0, Int(length))
        }
        guard position <= buffer.count else {
            wanted = position - start
            return nil
        }
        return Layout(
            kind: kind, zxid: zxid, data: data, hasIdentities: count >= 0, identities: identities..<position)
    }

    /// Reads a number and steps behind it; `nil`, with `wanted` raised, if it is not there yet.
    private mutating func int32(at position: inout Int) -> Int32? {
        guard position + 4 <= buffer.count else {
            wanted = position + 4 - start
            return nil
        }
        defer { position += 4 }
        // Safe: the guard above keeps the four bytes inside the array.
        return Int32(bigEndian: unsafe buffer.span.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self))
    }

    /// The vector that `layout()` has walked over; null texts count as empty.
    ///
    /// Texts that are not UTF-8 are repaired, as in the lists they are compared with: one odd client must not cost a
    /// learner its connection.
    private func identities(in range: Range<Int>) -> [Identity] {
        var reader = ByteReader(buffer, in: range.lowerBound + 4..<range.upperBound)
        var identities: [Identity] = []
        // Cannot throw: the lengths were checked.
        while let scheme = try? reader.readRange() ?? 0..<0, let id = try? reader.readRange() ?? 0..<0 {
            identities.append(
                Identity(
                    scheme: String(decoding: buffer[scheme], as: UTF8.self),
                    id: String(decoding: buffer[id], as: UTF8.self)))
        }
        return identities
    }

    /// Drops what was handed out, when that costs no more than what was handed out since the last time.
    private mutating func compact() {
        guard start > 0 else { return }
        if start == buffer.count {
            if buffer.capacity > FrameDecoder.retainedBytes {
                buffer = []
            } else {
                buffer.removeAll(keepingCapacity: true)
            }
        } else if start >= buffer.count - start {
            buffer.removeSubrange(0..<start)
        } else {
            return
        }
        start = 0
    }
}

/// Why received bytes are no packet. The connection they came on is beyond repair.
package enum QuorumPacketError: Error, Equatable, Sendable {
    case unknownKind(Int32)
    /// The length of the data is negative or above the decoder's limit.
    case badLength(Int32)
    /// Too many, or too long.
    case badIdentities
}

extension QuorumPacketError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unknownKind(let number): "\(number) is no kind of quorum packet"
        case .badLength(let length): "a quorum packet of \(length) bytes is not accepted"
        case .badIdentities: "the identities of a quorum packet cannot be read"
        }
    }
}
