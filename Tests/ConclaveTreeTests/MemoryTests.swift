import ConclaveCore
import Testing

@testable import ConclaveTree

/// The containers below the tree.
@Suite struct MemoryTests {
    @Test("Every size fits its block, and the next smaller one would not do")
    func sizes() {
        var previous = 0
        for number in 0..<64 {
            let size = BlockStore.blockBytes(of: number)
            #expect(size % 8 == 0)
            #expect(size > previous)
            #expect(BlockStore.sizeClass(of: size) == number)
            #expect(BlockStore.sizeClass(of: previous + 1) == number)
            previous = size
        }
        #expect(previous == BlockStore.largestBlockBytes)
    }

    @Test("Blocks keep their bytes through stores, replacements and frees", arguments: 0..<4 as Range<UInt64>)
    func blocks(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var store = BlockStore()
        var model: [(reference: UInt32, name: [UInt8], data: [UInt8])] = []
        func bytes(_ limit: Int) -> [UInt8] {
            (0..<Int.random(in: 0..<limit, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        for step in 0..<1200 {
            let limit = step % 100 == 0 ? 9000 : 60
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let (name, data) = (bytes(20), bytes(limit))
                model.append((store.store(name: name.span, data: data.span), name, data))
            case 2:
                guard let index = model.indices.randomElement(using: &random) else { continue }
                let data = bytes(limit)
                model[index].reference = store.replaceData(
                    in: model[index].reference, nameCount: model[index].name.count, oldCount: model[index].data.count,
                    with: data.span)
                model[index].data = data
            default:
                guard let index = model.indices.randomElement(using: &random) else { continue }
                store.free(model.remove(at: index).reference)
            }
            guard step % 100 == 99 else { continue }
            for entry in model {
                let all = entry.name + entry.data
                #expect(Array(store.bytes(of: entry.reference, 0..<all.count)) == all)
            }
        }
        for entry in model { store.free(entry.reference) }
        #expect(store.allocatedBytes == 0, "pages without a block in use are given back")
    }

    @Test("Freed blocks are used again")
    func reuse() {
        var store = BlockStore()
        let data = [UInt8](repeating: 7, count: 100)
        var blocks = (0..<2000).map { _ in store.store(name: Span(), data: data.span) }
        let bytes = store.allocatedBytes
        for round in 0..<10 {
            for index in stride(from: round % 2, to: 2000, by: 2) { store.free(blocks[index]) }
            for index in stride(from: round % 2, to: 2000, by: 2) {
                blocks[index] = store.store(name: Span(), data: data.span)
            }
        }
        #expect(store.allocatedBytes == bytes)
        #expect(Set(blocks).count == 2000)
    }

    @Test("Paths are found in a table that grows and shrinks, also when their hashes are equal")
    func table() {
        var random = SeededRandom(seed: 3)
        var table = PathTable()
        var model: [UInt32: UInt32] = [:]
        for step in 0..<6000 {
            let isGrowing = step < 3500
            if isGrowing ? step % 4 != 0 : step % 4 == 0 {
                let node = UInt32(step)
                // Few different hashes make long chains of overflow.
                let hash = step % 50 == 0 ? 77 : UInt32.random(in: 0...UInt32.max, using: &random)
                table.insert(hash, node)
                model[node] = hash
            } else if let (node, hash) = model.min(by: { $0.key < $1.key }) {
                table.remove(hash, node)
                table.remove(hash, node)
                model[node] = nil
                #expect(table.first(hash) { $0 == node } == nil)
            }
            guard step % 500 == 499 else { continue }
            for (node, hash) in model { #expect(table.first(hash) { $0 == node } == node) }
        }
        for (node, hash) in model { table.remove(hash, node) }
        #expect(table.first(77) { _ in true } == nil)
    }

    @Test("The hash depends on every byte, on the length and on the seed")
    func hash() {
        let hash = PathHash(seed: 1)
        var seen: Set<UInt64> = []
        for count in 0..<70 {
            var path = [UInt8](repeating: 0, count: count)
            seen.insert(hash(path.span))
            for index in 0..<count {
                path[index] = 1
                seen.insert(hash(path.span))
                path[index] = 0
            }
        }
        #expect(seen.count == 70 + (0..<70).reduce(0, +))
        let path = Array("/a/b".utf8)
        #expect(hash(path.span) != PathHash(seed: 2)(path.span))
        #expect(hash(path.span) == PathHash(seed: 1)(path.span))
    }

    @Test("An array by chunks keeps its elements, and a copy does not see later writes")
    func chunks() {
        var array = ChunkedArray<Int>()
        for number in 0..<5000 { array.append(number) }
        let copy = array
        for index in 0..<5000 as Range<UInt32> { array[index] += 1 }
        #expect((0..<5000).allSatisfy { array[UInt32($0)] == $0 + 1 && copy[UInt32($0)] == $0 })
        #expect(array.count == 5000)
    }
}
