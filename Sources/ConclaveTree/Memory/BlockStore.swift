/// Memory for the names and data of nodes: blocks of 64 sizes cut from pages, and separate arrays for what is larger.
///
/// A reference names a block by page and offset:
/// ```
/// bit 31      0: block in a page              1: array of its own
/// bits 30-12  page                            30-0: its number
/// bits 11-0   offset in units of 8 bytes
/// ```
/// Sizes grow by 8 bytes up to 256 and by an eighth of the next power of two up to 4096. A page holds blocks of one
/// size; a page without a block in use is given back, so a tree that changes its habits does not keep both. Copies
/// share pages until one of them writes.
struct BlockStore: Sendable {
    /// No block; what stands for no bytes at all.
    static let none = UInt32.max
    static let largestBlockBytes = 4096

    private static let pageBytes = 32 << 10
    private static let pageLimit = 1 << 19
    private static let largeBit: UInt32 = 1 << 31
    private static let endOfList = UInt16.max

    private struct Page: Sendable {
        var bytes: [UInt8] = []
        /// The size of its blocks; 0 while it has none.
        var blockBytes: UInt16 = 0
        var blocksInUse: UInt16 = 0
        /// The first freed block, as an offset in units of 8 bytes; the next one is named in its first two bytes.
        var freeHead = BlockStore.endOfList
        /// Where the never used blocks begin.
        var freshStart: UInt16 = 0
        var isListed = false

        var hasRoom: Bool {
            freeHead != BlockStore.endOfList || Int(freshStart) + Int(blockBytes) <= BlockStore.pageBytes
        }
    }

    private var pages: [Page] = []
    private var emptyPages: [UInt32] = []
    /// For each size the pages that may have room; entries can be out of date and are checked when used.
    private var pagesWithRoom = [[UInt32]](repeating: [], count: 64)
    private var arrays: [[UInt8]] = []
    private var emptyArrays: [UInt32] = []

    /// The bytes of all pages and arrays.
    var allocatedBytes: Int {
        (pages.count - emptyPages.count) * Self.pageBytes + arrays.reduce(0) { $0 + $1.capacity }
    }

    /// Stores a name with data behind it.
    mutating func store(name: Span<UInt8>, data: Span<UInt8>) -> UInt32 {
        let count = name.count + data.count
        guard count > 0 else { return Self.none }
        guard count <= Self.largestBlockBytes, let reference = allocate(count) else {
            return storeApart(name: name, data: data)
        }
        let page = Int(reference >> 12)
        let start = Int(reference & 0xFFF) << 3
        ByteRuns.copy(name, into: &pages[page].bytes, at: start)
        ByteRuns.copy(data, into: &pages[page].bytes, at: start + name.count)
        return reference
    }

    /// Replaces the data behind a name, in place if it fits the same block.
    /// - Returns: where the bytes are now.
    mutating func replaceData(in reference: UInt32, nameCount: Int, oldCount: Int, with data: Span<UInt8>) -> UInt32 {
        let old = nameCount + oldCount
        let new = nameCount + data.count
        if reference & Self.largeBit == 0, new > 0, new <= Self.largestBlockBytes,
            Self.sizeClass(of: old) == Self.sizeClass(of: new)
        {
            let start = Int(reference & 0xFFF) << 3
            ByteRuns.copy(data, into: &pages[Int(reference >> 12)].bytes, at: start + nameCount)
            return reference
        }
        let name = Array(bytes(of: reference, 0..<nameCount))
        free(reference)
        return store(name: name.span, data: data)
    }

    mutating func free(_ reference: UInt32) {
        guard reference != Self.none else { return }
        guard reference & Self.largeBit == 0 else {
            let number = reference & ~Self.largeBit
            arrays[Int(number)] = []
            emptyArrays.append(number)
            return
        }
        let number = Int(reference >> 12)
        pages[number].blocksInUse -= 1
        guard pages[number].blocksInUse > 0 else {
            pages[number] = Page()
            emptyPages.append(UInt32(number))
            return
        }
        let offset = UInt16(reference & 0xFFF)
        let next = pages[number].freeHead
        pages[number].bytes[Int(offset) << 3] = UInt8(truncatingIfNeeded: next)
        pages[number].bytes[Int(offset) << 3 + 1] = UInt8(truncatingIfNeeded: next >> 8)
        pages[number].freeHead = offset
        list(number)
    }

    /// A part of a block, without copying; to be let go before anything is written.
    @inline(__always)
    func bytes(of reference: UInt32, _ range: Range<Int>) -> ArraySlice<UInt8> {
        guard reference & Self.largeBit == 0 else {
            return reference == Self.none ? [] : arrays[Int(reference & ~Self.largeBit)][range]
        }
        let start = Int(reference & 0xFFF) << 3
        return pages[Int(reference >> 12)].bytes[(start + range.lowerBound)..<(start + range.upperBound)]
    }

    /// Whether a block begins with `count` bytes of a path from `start`.
    @inline(__always)
    func begins(_ reference: UInt32, with path: Span<UInt8>, at start: Int, count: Int) -> Bool {
        guard reference & Self.largeBit == 0 else {
            guard reference != Self.none else { return count == 0 }
            let bytes = arrays[Int(reference & ~Self.largeBit)]
            return ByteRuns.areEqual(bytes.span, at: 0, path, at: start, count: count)
        }
        let bytes = pages[Int(reference >> 12)].bytes
        return ByteRuns.areEqual(bytes.span, at: Int(reference & 0xFFF) << 3, path, at: start, count: count)
    }

    // MARK: Blocks in pages

    /// - Returns: `nil` when the pages are used up (16 GiB of blocks).
    private mutating func allocate(_ count: Int) -> UInt32? {
        let sizeClass = Self.sizeClass(of: count)
        let blockBytes = Self.blockBytes(of: sizeClass)
        while let candidate = pagesWithRoom[sizeClass].last {
            let number = Int(candidate)
            if Int(pages[number].blockBytes) == blockBytes, pages[number].hasRoom {
                return takeBlock(from: number)
            }
            if Int(pages[number].blockBytes) == blockBytes { pages[number].isListed = false }
            pagesWithRoom[sizeClass].removeLast()
        }
        guard let number = emptyPage() else { return nil }
        pages[number].bytes = [UInt8](repeating: 0, count: Self.pageBytes)
        pages[number].blockBytes = UInt16(blockBytes)
        pages[number].isListed = true
        pagesWithRoom[sizeClass].append(UInt32(number))
        return takeBlock(from: number)
    }

    private mutating func takeBlock(from number: Int) -> UInt32 {
        pages[number].blocksInUse += 1
        let offset: UInt16
        if pages[number].freeHead != Self.endOfList {
            offset = pages[number].freeHead
            let low = UInt16(pages[number].bytes[Int(offset) << 3])
            let high = UInt16(pages[number].bytes[Int(offset) << 3 + 1])
            pages[number].freeHead = low | high << 8
        } else {
            offset = pages[number].freshStart >> 3
            pages[number].freshStart += pages[number].blockBytes
        }
        return UInt32(number) << 12 | UInt32(offset)
    }

    private mutating func emptyPage() -> Int? {
        if let number = emptyPages.popLast() { return Int(number) }
        guard pages.count < Self.pageLimit else { return nil }
        pages.append(Page())
        return pages.count - 1
    }

    private mutating func list(_ number: Int) {
        guard !pages[number].isListed else { return }
        pages[number].isListed = true
        pagesWithRoom[Self.sizeClass(of: Int(pages[number].blockBytes))].append(UInt32(number))
    }

    // MARK: Arrays of their own

    private mutating func storeApart(name: Span<UInt8>, data: Span<UInt8>) -> UInt32 {
        var bytes = [UInt8](repeating: 0, count: name.count + data.count)
        ByteRuns.copy(name, into: &bytes, at: 0)
        ByteRuns.copy(data, into: &bytes, at: name.count)
        if let number = emptyArrays.popLast() {
            arrays[Int(number)] = bytes
            return number | Self.largeBit
        }
        arrays.append(bytes)
        return UInt32(arrays.count - 1) | Self.largeBit
    }

    // MARK: Sizes

    /// The number of the smallest size that holds 1...4096 bytes: 32 steps of 8, then four times 8 steps.
    @inline(__always)
    static func sizeClass(of count: Int) -> Int {
        if count <= 256 { return (max(count, 1) + 7) >> 3 - 1 }
        // 9 bits hold 257...512: the steps are 32 bytes there and double with every further bit.
        let bits = Int.bitWidth - (count - 1).leadingZeroBitCount
        let lower = 1 << (bits - 1)
        return 32 + (bits - 9) * 8 + (count - 1 - lower) >> (bits - 4)
    }

    @inline(__always)
    static func blockBytes(of sizeClass: Int) -> Int {
        if sizeClass < 32 { return (sizeClass + 1) << 3 }
        let group = (sizeClass - 32) >> 3
        let step = (sizeClass - 32) & 7
        return 256 << group + (step + 1) << (group + 5)
    }
}
