import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

struct CommittedLogTests {
    @Test("A new log is empty and ends where the history ends")
    func empty() {
        let log = CommittedLog(after: zxid(2, 7), countLimit: 3, byteLimit: 1000)
        #expect(log.isEmpty)
        #expect(log.floor == zxid(2, 7))
        #expect(log.last == zxid(2, 7))
        #expect(log.offset(behind: zxid(2, 7)) == 0)
    }

    @Test("The oldest fall out beyond the count, and raise the floor")
    func countLimit() {
        var log = CommittedLog(after: .zero, countLimit: 3, byteLimit: 1_000_000)
        for counter in 1...3 { log.append(proposal(1, UInt32(counter))) }
        #expect(log.count == 3)
        #expect(log.floor == .zero)
        log.append(proposal(1, 4))
        #expect(log.count == 3)
        #expect(log.floor == zxid(1, 1))
        #expect(log[0].zxid == zxid(1, 2))
        #expect(log.last == zxid(1, 4))
    }

    @Test("The oldest fall out beyond the bytes, at the limit and one past")
    func byteLimit() {
        let size = proposal(1, 1).body.count
        var log = CommittedLog(after: .zero, countLimit: 100, byteLimit: 3 * size)
        for counter in 1...3 { log.append(proposal(1, UInt32(counter))) }
        #expect(log.count == 3)
        #expect(log.byteCount == 3 * size)
        log.append(proposal(1, 4, data: [1]))
        #expect(log.count == 2)
        #expect(log.byteCount == 2 * size + 1)
    }

    @Test("A transaction larger than the limit is not kept, but raises the floor")
    func oversized() {
        var log = CommittedLog(after: .zero, countLimit: 10, byteLimit: 60)
        log.append(proposal(1, 1, data: [UInt8](repeating: 0, count: 100)))
        #expect(log.isEmpty)
        #expect(log.floor == zxid(1, 1))
        #expect(log.byteCount == 0)
    }

    @Test("What is here already is ignored")
    func duplicate() {
        var log = makeLog(after: .zero, (1, 1...4))
        log.append(proposal(1, 3))
        log.append(proposal(1, 4))
        #expect(log.count == 4)
    }

    @Test("A gap empties the log, so that it never claims more than it has")
    func gap() {
        var log = makeLog(after: .zero, (1, 1...4))
        log.append(proposal(1, 6))
        #expect(log.isEmpty)
        #expect(log.floor == zxid(1, 6))
        log.append(proposal(1, 7))
        #expect(log.count == 1)
    }

    @Test("A new epoch begins with 1; anything else is a gap")
    func epochs() {
        var log = makeLog(after: .zero, (1, 1...4))
        log.append(proposal(3, 1))
        #expect(log.count == 5)
        log.append(proposal(4, 2))
        #expect(log.isEmpty)
        #expect(log.floor == zxid(4, 2))
    }

    @Test("A cut drops what lies behind it")
    func truncation() {
        var log = makeLog(after: zxid(1, 2), (1, 3...6), (2, 1...2))
        log.truncate(to: zxid(1, 5))
        #expect(log.count == 3)
        #expect(log.last == zxid(1, 5))
        log.truncate(to: zxid(1, 5))
        #expect(log.count == 3)
        log.truncate(to: zxid(1, 2))
        #expect(log.isEmpty)
        #expect(log.floor == zxid(1, 2))
        #expect(log.byteCount == 0)
        log.truncate(to: zxid(1, 1))
        #expect(log.floor == zxid(1, 1))
    }

    @Test("A cut at a place that the log does not know leaves nothing that could be wrong")
    func strangeCut() {
        var log = makeLog(after: zxid(1, 2), (1, 3...6))
        log.truncate(to: zxid(2, 3))
        #expect(log.isEmpty)
        #expect(log.floor == zxid(2, 3))
    }

    @Test("The first transaction behind a zxid is found, for every log up to ten long")
    func search() {
        for count in 0...10 {
            var log = CommittedLog(after: zxid(1, 5), countLimit: 100, byteLimit: 1_000_000)
            for counter in 0..<count { log.append(proposal(1, UInt32(6 + counter))) }
            for asked in 0...20 {
                let expected = max(0, min(count, asked - 5))
                #expect(log.offset(behind: zxid(1, UInt32(asked))) == expected, "\(asked) in \(count)")
            }
        }
    }
}
