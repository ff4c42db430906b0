/// How bytes are written, and become certain, in sectors.
extension SimulatedDisk.Inode {
    mutating func write(_ bytes: [UInt8], at offset: Int) {
        guard !bytes.isEmpty else { return }
        let end = offset + bytes.count
        if current.content.count < end {
            current.content.append(contentsOf: [UInt8](repeating: 0, count: end - current.content.count))
        }
        current.content.replaceSubrange(offset..<end, with: bytes)
        if current.size < end {
            current.size = end
            isSizeDirty = true
        }
        let sector = SimulatedDisk.sectorBytes
        dirty.formUnion(offset / sector...(end - 1) / sector)
    }

    mutating func resize(to size: Int) {
        current.size = size
        isSizeDirty = true
        if current.content.count > size { current.content.removeSubrange(size...) }
    }

    mutating func makeDurable() {
        for sector in dirty { durable.take(sector, from: current) }
        if isSizeDirty { durable.resize(to: current.size) }
        forgetDirty()
    }

    mutating func forgetDirty() {
        dirty = []
        isSizeDirty = false
    }
}

extension SimulatedDisk.Image {
    /// Copies one sector; the size does not change, except to make room for it.
    mutating func take(_ sector: Int, from other: Self) {
        let start = sector * SimulatedDisk.sectorBytes
        let end = min(start + SimulatedDisk.sectorBytes, other.size)
        guard start < end else { return }
        if content.count < end { content.append(contentsOf: repeatElement(0, count: end - content.count)) }
        var bytes = start < other.content.count ? Array(other.content[start..<min(end, other.content.count)]) : []
        bytes.append(contentsOf: [UInt8](repeating: 0, count: end - start - bytes.count))
        content.replaceSubrange(start..<end, with: bytes)
        size = max(size, end)
    }

    mutating func resize(to size: Int) {
        self.size = size
        if content.count > size { content.removeSubrange(size...) }
    }
}
