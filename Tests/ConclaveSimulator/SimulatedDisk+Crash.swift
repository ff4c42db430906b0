import ConclaveCore

/// What a crash leaves of what was not synced.
package enum Survival: CaseIterable, Equatable, Sendable {
    /// Power failure before anything was written.
    case nothing
    /// The process died, or everything was just written.
    case everything
    /// Some sectors, some sizes, some names, chosen at random.
    case some
    /// All bytes, no names.
    case bytesOnly
    /// All names, no bytes: files have the sizes of before or after, and zeros.
    case namesOnly
    /// The process died, but the machine lives: everything can be read, nothing is synced.
    case processOnly
}

extension SimulatedDisk {
    /// The disk as the next start finds it, without faults asked for and with all counters at zero.
    package func afterCrash(_ survival: Survival, seed: UInt64) -> SimulatedDisk {
        var next = self
        next.reset()
        if survival == .processOnly { return next }
        var random = SeededRandom(seed: seed)
        for index in next.inodes.indices { next.inodes[index].settle(survival, &random) }
        for change in pendingNames {
            let survives =
                switch survival {
                case .nothing, .bytesOnly: false
                case .everything, .namesOnly, .processOnly: true
                case .some: Bool.random(using: &random)
                }
            if survives { next.makeDurable(change) }
        }
        next.dropUnreachable()
        return next
    }

    /// As a start after a clean end finds it: everything is certain.
    package func afterCleanEnd() -> SimulatedDisk { afterCrash(.everything, seed: 0) }

    private mutating func dropUnreachable() {
        // What lies in a folder that was lost is lost.
        var lost = true
        while lost {
            let before = durableFolders.count
            durableFolders = durableFolders.filter {
                $0 == "/" || $0 == "." || durableFolders.contains(Self.parent(of: $0))
            }
            lost = durableFolders.count != before
        }
        durableNames = durableNames.filter { durableFolders.contains(Self.parent(of: $0.key)) }
        names = durableNames
        folders = durableFolders
        pendingNames = []
    }
}

extension SimulatedDisk.Inode {
    mutating func settle(_ survival: Survival, _ random: inout SeededRandom) {
        var result = durable
        var sizes = isSizeDirty ? [durable.size, current.size] : [current.size]
        switch survival {
        case .everything, .bytesOnly, .processOnly:
            for sector in dirty { result.take(sector, from: current) }
            sizes = [isSizeDirty ? current.size : result.size]
        case .nothing: sizes = [durable.size]
        case .namesOnly: sizes = [sizes[Int(random.next() % UInt64(sizes.count))]]
        case .some:
            for sector in dirty.sorted() where Bool.random(using: &random) { result.take(sector, from: current) }
            // A sector beyond the old size survives only together with a size that covers it.
            sizes = sizes.filter { $0 >= min(result.size, current.size) || $0 == current.size }
            sizes = [sizes[Int(random.next() % UInt64(sizes.count))]]
        }
        result.resize(to: sizes[0])
        durable = result
        current = result
        forgetDirty()
    }
}

// MARK: Looking at files and damaging them

extension SimulatedDisk {
    /// What a reader sees in a file; `nil` if there is none. Reserved space is included.
    package func contents(of path: String) -> [UInt8]? {
        guard let inode = names[Self.normal(path)] else { return nil }
        let image = inodes[inode].current
        return image.content + [UInt8](repeating: 0, count: image.size - image.content.count)
    }

    /// The paths of all files, sorted.
    package var paths: [String] { names.keys.sorted() }

    /// Makes or replaces a file, for certain, with the folders above it.
    package mutating func put(_ bytes: [UInt8], at path: String) {
        let name = Self.normal(path)
        var folder = Self.parent(of: name)
        while folders.insert(folder).inserted {
            durableFolders.insert(folder)
            folder = Self.parent(of: folder)
        }
        let image = Image(content: bytes, size: bytes.count)
        inodes.append(Inode(current: image, durable: image))
        names[name] = inodes.count - 1
        durableNames[name] = inodes.count - 1
    }

    /// Takes a file away, for certain.
    package mutating func lose(_ path: String) {
        names[Self.normal(path)] = nil
        durableNames[Self.normal(path)] = nil
    }

    /// Flips a bit of a file: bit 0 is the lowest of the first byte.
    package mutating func flipBit(_ bit: Int, in path: String) {
        guard var bytes = contents(of: path) else { return }
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        put(bytes, at: path)
    }

    /// Cuts a file.
    package mutating func cut(_ path: String, to size: Int) {
        guard let bytes = contents(of: path) else { return }
        put(Array(bytes.prefix(size)), at: path)
    }
}
