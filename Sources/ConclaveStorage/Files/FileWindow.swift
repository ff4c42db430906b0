import ConclaveCore

/// A piece of a file in memory, loaded as it is asked for: files are read in bounded memory.
struct FileWindow<D: Disk> {
    static var pieceBytes: Int { 256 << 10 }

    let file: D.File
    let size: Int64
    private(set) var buffer: [UInt8] = []
    /// Where in the file the buffer begins.
    private var base: Int64 = 0

    init(_ file: D.File, _ volume: inout Volume<D>) throws(StorageError) {
        self.file = file
        size = try volume.size(of: file)
    }

    /// Brings bytes of the file into the buffer.
    /// - Returns: where in the buffer they are; `nil` if the file ends before them.
    mutating func load(_ offset: Int64, _ count: Int, _ volume: inout Volume<D>) throws(StorageError) -> Range<Int>? {
        guard offset >= 0, count <= size - offset else { return nil }
        let start = offset - base
        if start >= 0, start + Int64(count) <= Int64(buffer.count) { return Int(start)..<(Int(start) + count) }
        buffer.removeAll(keepingCapacity: true)
        base = offset
        let wanted = Int(min(Int64(max(count, Self.pieceBytes)), size - offset))
        while buffer.count < wanted {
            let position = base + Int64(buffer.count)
            guard try volume.read(file, at: position, count: wanted - buffer.count, into: &buffer) > 0 else { break }
        }
        return buffer.count < count ? nil : 0..<count
    }

    /// Where the first byte that is not zero lies in a part of the file; `nil` if all are.
    mutating func firstNonZero(in range: Range<Int64>, _ volume: inout Volume<D>) throws(StorageError) -> Int64? {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(range.upperBound - offset, Int64(Self.pieceBytes)))
            guard let piece = try load(offset, count, &volume) else { return nil }
            if let found = buffer.span.extracting(piece).firstNonZero { return offset + Int64(found) }
            offset += Int64(count)
        }
        return nil
    }

    /// One past the last byte that is not zero in a part of the file; its beginning if all are.
    mutating func endOfNonZero(in range: Range<Int64>, _ volume: inout Volume<D>) throws(StorageError) -> Int64 {
        var end = range.lowerBound
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(range.upperBound - offset, Int64(Self.pieceBytes)))
            guard let piece = try load(offset, count, &volume) else { break }
            if let found = buffer.span.extracting(piece).lastNonZero { end = offset + Int64(found) + 1 }
            offset += Int64(count)
        }
        return end
    }
}

extension Span<UInt8> {
    /// The index of the first byte that is not zero. Cost: eight bytes a step.
    var firstNonZero: Int? {
        var index = 0
        // Safe: the loop's condition leaves eight bytes from index.
        while count - index >= 8, unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self) == 0 {
            index += 8
        }
        while index < count {
            if self[index] != 0 { return index }
            index += 1
        }
        return nil
    }

    /// The index of the last byte that is not zero. Cost: eight bytes a step.
    var lastNonZero: Int? {
        var end = count
        // Safe: the loop's condition leaves eight bytes before end.
        while end >= 8, unsafe bytes.unsafeLoadUnaligned(fromByteOffset: end - 8, as: UInt64.self) == 0 { end -= 8 }
        while end > 0 {
            if self[end - 1] != 0 { return end - 1 }
            end -= 1
        }
        return nil
    }
}
