import ConclaveCore
import ConclaveWire

/// The uncompressed bytes of a snapshot file as a stream: bounded memory, checksummed as it is consumed.
struct SnapshotInput<D: Disk> {
    private enum Packing {
        case none
        case gzip(Inflater)
        case snappy(SnappyStream)
    }

    let path: String
    /// Where in the uncompressed stream the next byte stands.
    var offset: Int64 { dropped + Int64(position) }
    /// Bytes that were read and not consumed begin at `position`.
    private(set) var buffer: [UInt8] = []
    private(set) var position = 0

    private let file: D.File
    private var packing: Packing
    private var fileOffset: Int64 = 0
    private var isAtEndOfFile = false
    private var packed: [UInt8] = []
    /// How many bytes were consumed and dropped from the buffer.
    private var dropped: Int64 = 0
    private var sum = Adler32()
    /// What of the buffer the sum covers.
    private var summed = 0

    private static var pieceBytes: Int { 256 << 10 }
    /// What is kept of packed bytes; more than the largest unit of any packing.
    private static var packedBytes: Int { 2 << 20 }

    init(_ file: D.File, path: String, compression: SnapshotCompression) {
        self.file = file
        self.path = path
        packing =
            switch compression {
            case .none: .none
            case .gzip: .gzip(Inflater())
            case .snappy: .snappy(SnappyStream())
            }
    }

    /// Brings at least `count` unconsumed bytes into the buffer.
    /// - Returns: false if the stream ends before.
    mutating func need(_ count: Int, _ volume: inout Volume<D>) throws(StorageError) -> Bool {
        while buffer.count - position < count {
            guard try more(&volume) else { return false }
        }
        return true
    }

    /// A reader of the unconsumed bytes that are in memory.
    var reader: ByteReader { ByteReader(buffer, in: position..<buffer.count) }

    mutating func consume(_ count: Int) {
        precondition(count <= buffer.count - position, "\(count) bytes of \(buffer.count - position)")
        position += count
    }

    /// The Adler-32 of everything consumed so far.
    mutating func checksum() -> UInt32 {
        var total = sum
        total.update(buffer.span.extracting(summed..<position))
        sum = total
        summed = position
        return total.value
    }

    func error(_ message: String) -> StorageError {
        StorageError(.corrupt, file: path, offset: offset, message)
    }

    /// Appends more bytes to the buffer; false at the end.
    private mutating func more(_ volume: inout Volume<D>) throws(StorageError) -> Bool {
        compact()
        let before = buffer.count
        while buffer.count == before {
            if !isAtEndOfFile, packed.count < Self.packedBytes {
                let read =
                    if case .none = packing {
                        try volume.read(file, at: fileOffset, count: Self.pieceBytes, into: &buffer)
                    } else {
                        try volume.read(file, at: fileOffset, count: Self.pieceBytes, into: &packed)
                    }
                fileOffset += Int64(read)
                isAtEndOfFile = read == 0
            }
            do throws(UnpackError) {
                let isDone = try unpack()
                if isAtEndOfFile, buffer.count == before {
                    guard isDone else { throw UnpackError("the compressed data ends early") }
                    return false
                }
            } catch {
                throw StorageError(.corrupt, file: path, offset: fileOffset - Int64(packed.count), error.message)
            }
        }
        return true
    }

    /// Unpacks what is there.
    /// - Returns: whether the packed data may end here.
    private mutating func unpack() throws(UnpackError) -> Bool {
        switch packing {
        case .none: return true
        case .gzip(var inflater):
            packing = .none
            defer { packing = .gzip(inflater) }
            return try inflater.inflate(&packed, into: &buffer, limit: Self.pieceBytes)
        case .snappy(var stream):
            packing = .none
            defer { packing = .snappy(stream) }
            return try stream.unpack(&packed, into: &buffer)
        }
    }

    /// Drops what was consumed, once that is the larger part.
    private mutating func compact() {
        guard position > buffer.count / 2 else { return }
        _ = checksum()
        dropped += Int64(position)
        buffer.removeSubrange(..<position)
        position = 0
        summed = 0
    }
}

/// Compressed bytes cannot be unpacked.
package struct UnpackError: Error, Equatable {
    package let message: String

    init(_ message: String) { self.message = message }
}
