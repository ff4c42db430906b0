import ConclaveCore
import ConclaveSimulator

/// The toy's disk: a log of records of equal length, and a file with epoch and vote that is replaced as a whole.
struct ToyStorage: Sendable {
    enum Order: Sendable {
        case append([ToyEntry])
        /// Keep so many entries.
        case cut(Int)
        case vote(epoch: Int64, for: Int32)
    }

    struct Loaded {
        var epoch: Int64 = 0
        var vote: Int32 = -1
        var entries: [ToyEntry] = []
    }

    private static let folder = "/toy"
    private static let log = "/toy/log"
    private static let vote = "/toy/vote"
    private static let recordBytes = ToyEntry.byteCount + 4

    var disk: SimulatedDisk
    private let bug: ToyBug?
    private(set) var orders = RingBuffer<Order>()
    /// Entries on disk.
    private var count = 0

    init(_ disk: consuming SimulatedDisk, bug: ToyBug?) {
        self.disk = disk
        self.bug = bug
    }

    mutating func order(_ order: Order) { orders.append(order) }

    /// Carries out the oldest order.
    mutating func perform() throws(DiskError) -> Order? {
        guard let order = orders.popFirst() else { return nil }
        switch order {
        case .append(let entries):
            var writer = ByteWriter(capacity: entries.count * Self.recordBytes)
            for entry in entries {
                let start = writer.count
                writer.writeInt32(0)
                entry.encode(into: &writer)
                let sum = Self.checksum(writer.bytes[(start + 4)...])
                for byte in 0..<4 {
                    writer.bytes[start + byte] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - byte * 8))
                }
            }
            let file = try disk.openForWriting(Self.log)
            try disk.write(file, writer.bytes.span, at: Int64(count * Self.recordBytes))
            try disk.synchronize(file)
            count += entries.count
        case .cut(let kept):
            let file = try disk.openForWriting(Self.log)
            try disk.truncate(file, to: Int64(kept * Self.recordBytes))
            try disk.synchronize(file)
            count = kept
        case .vote(let epoch, let candidate):
            if bug != .forgetsVote { try saveVote(epoch, candidate) }
        }
        return order
    }

    private mutating func saveVote(_ epoch: Int64, _ candidate: Int32) throws(DiskError) {
        var writer = ByteWriter()
        writer.writeInt64(epoch)
        writer.writeInt32(candidate)
        writer.writeInt32(Int32(bitPattern: Self.checksum(writer.bytes[...])))
        if try disk.exists(Self.vote + ".tmp") { try disk.remove(Self.vote + ".tmp") }
        let file = try disk.create(Self.vote + ".tmp")
        try disk.write(file, writer.bytes.span, at: 0)
        try disk.synchronize(file)
        try disk.rename(Self.vote + ".tmp", to: Self.vote)
        if bug != .skipsFolderSync { try disk.synchronizeDirectory(Self.folder) }
    }

    /// Reads everything and makes it certain: what a killed process left in memory is not on disk yet.
    mutating func load() throws(DiskError) -> Loaded {
        var loaded = Loaded()
        if try !disk.exists(Self.folder) {
            try disk.createDirectory(Self.folder)
            try disk.synchronizeDirectory("/")
        }
        if try disk.exists(Self.vote) {
            let bytes = try contents(of: Self.vote)
            var reader = ByteReader(bytes)
            // The file is published whole: what cannot be read was never written.
            if let epoch = try? reader.readInt64(), let vote = try? reader.readInt32(),
                let sum = try? reader.readInt32(), Self.checksum(bytes[..<12]) == UInt32(bitPattern: sum)
            {
                (loaded.epoch, loaded.vote) = (epoch, vote)
            }
        }
        if try !disk.exists(Self.log) {
            _ = try disk.create(Self.log)
        }
        let bytes = try contents(of: Self.log)
        var reader = ByteReader(bytes)
        while reader.remaining >= Self.recordBytes {
            let body = bytes[(reader.offset + 4)..<(reader.offset + Self.recordBytes)]
            guard let sum = try? reader.readInt32(), let entry = try? ToyEntry(from: &reader) else { break }
            if bug != .trustsTornTail, Self.checksum(body) != UInt32(bitPattern: sum) { break }
            loaded.entries.append(entry)
        }
        count = loaded.entries.count
        let file = try disk.openForWriting(Self.log)
        try disk.truncate(file, to: Int64(count * Self.recordBytes))
        // Written again: after a sync that failed, what can be read is taken for clean and no later sync would write
        // it.
        try disk.write(file, Array(bytes.prefix(count * Self.recordBytes)).span, at: 0)
        try disk.synchronize(file)
        try disk.synchronizeDirectory(Self.folder)
        return loaded
    }

    private mutating func contents(of path: String) throws(DiskError) -> [UInt8] {
        let file = try disk.open(path)
        var bytes: [UInt8] = []
        _ = try disk.read(file, at: 0, count: Int(try disk.size(of: file)), into: &bytes)
        return bytes
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        var sum: UInt32 = 0x811C_9DC5
        for byte in bytes { sum = (sum ^ UInt32(byte)) &* 0x0100_0193 }
        return sum
    }
}
