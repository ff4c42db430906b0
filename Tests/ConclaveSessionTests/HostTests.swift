import ConclaveCore
import ConclaveSession
import Testing

@Suite struct HostTests {
    @Test(
        "Connect strings as every client takes them",
        arguments: [
            ("a", ["a:2181"], "/"), ("a:1,b:2", ["a:1", "b:2"], "/"), ("a:1/", ["a:1"], "/"),
            (" a:1 , b ", ["a:1", "b:2181"], "/"),
            ("127.0.0.1:2181/shop", ["127.0.0.1:2181"], "/shop"),
            ("[::1]:5,[fe80::1]/a/b", ["[::1]:5", "[fe80::1]:2181"], "/a/b"),
            ("::1", ["[::1]:2181"], "/"), ("a:1,a:1", ["a:1"], "/"),
        ] as [(String, [String], String)])
    func valid(_ text: String, _ hosts: [String], _ chroot: String) throws {
        let parsed = try ConnectString(text)
        #expect(parsed.hosts.map(\.description) == hosts)
        #expect(parsed.chroot.path.text == chroot)
    }

    @Test(
        "Connect strings that make no sense are refused",
        arguments: [
            "", ",", "a,,b", "a:", "a:0", "a:65536", "a:x", "[::1", "[::1]5", "a b:1", "a/x/", "a//x", "a/./x", ":1",
            "[]:1",
        ])
    func invalid(_ text: String) {
        #expect(throws: ZooKeeperError.self) { try ConnectString(text) }
    }

    @Test(
        "Paths gain and lose the chroot",
        arguments: [
            ("/", "/a", "/a"), ("/shop", "/", "/shop"), ("/shop", "/a/b", "/shop/a/b"), ("/s/t", "/x", "/s/t/x"),
        ])
    func chroot(_ root: NodePath, _ path: NodePath, _ full: NodePath) {
        let chroot = Chroot(root)
        #expect(chroot.full(path) == full)
        #expect(chroot.visible(full) == path)
        #expect(chroot.visible(full.text) == path.text)
    }

    @Test("Paths outside of the chroot stay as they are", arguments: ["/shopping", "/zookeeper/config", "/", "/sho"])
    func outside(_ path: NodePath) {
        let chroot = Chroot("/shop")
        #expect(chroot.visible(path) == path)
        #expect(!chroot.contains(path))
    }

    @Test("A number alone as name below the chroot")
    func sequentialRoot() {
        #expect(Chroot("/shop").fullSequential("/") == "/shop/")
        #expect(Chroot.none.fullSequential("/") == "/")
        #expect(Chroot("/shop").fullSequential("/a-") == "/shop/a-")
    }

    @Test("Hosts are shuffled by the seed and go round and round")
    func rotation() throws {
        let hosts = try ConnectString("a,b,c,d,e").hosts
        var orders: Set<[String]> = []
        for seed in 0..<50 {
            var random = SeededRandom(seed: UInt64(seed))
            var list = HostList(hosts, using: &random)
            let round = (0..<5).map { _ in list.takeNext().host }
            #expect(Set(round).count == 5)
            #expect((0..<5).map { _ in list.takeNext().host } == round)
            #expect(list.current.host == round[4])
            #expect(list.other(1)?.host == round[0])
            #expect(list.other(5) == nil)
            orders.insert(round)
        }
        #expect(orders.count > 20)
    }

    @Test("Pauses grow to a second, are never longer, and come once a round")
    func backOff() {
        var random = SeededRandom(seed: 7)
        var backOff = BackOff()
        #expect(backOff.delay(hosts: 3, using: &random) == 0)
        var pauses: [Int64] = []
        for _ in 0..<30 {
            backOff.failed()
            pauses.append(backOff.delay(hosts: 3, using: &random))
        }
        for (index, pause) in pauses.enumerated() where (index + 1) % 3 != 0 { #expect(pause == 0) }
        let ofRounds = stride(from: 2, to: 30, by: 3).map { pauses[$0] }
        #expect((25...50).contains(ofRounds[0]))
        #expect(ofRounds.allSatisfy { $0 <= 1_000 && $0 > 0 })
        #expect(ofRounds.last.map { $0 >= 500 } == true)
        backOff.lost(after: 1_000)
        #expect(backOff.failures == 0)
    }

    @Test("The ring finds its elements by number through growth, gaps and removal")
    func ring() {
        struct Item: SequenceNumbered {
            let number: UInt64
            var isMarked = false
        }
        var random = SeededRandom(seed: 3)
        var ring = SequenceRing<Item>()
        var model: [Item] = []
        var next: UInt64 = 1
        for _ in 0..<5_000 {
            switch Int.random(in: 0..<6, using: &random) {
            case 0...2:
                next += UInt64.random(in: 1...3, using: &random)
                ring.append(Item(number: next))
                model.append(Item(number: next))
            case 3:
                let popped = ring.popFirst()
                #expect(popped?.number == model.first?.number)
                #expect(popped?.isMarked == model.first?.isMarked)
                if !model.isEmpty { model.removeFirst() }
            case 4:
                let number = UInt64.random(in: 0...next, using: &random)
                let index = model.firstIndex { $0.number == number }
                #expect(ring.update(number) { $0.isMarked = true } == (index != nil))
                if let index { model[index].isMarked = true }
            default:
                ring.removeLast()
                _ = model.popLast()
            }
            #expect(ring.count == model.count)
            #expect(ring.first?.number == model.first?.number)
        }
    }
}
