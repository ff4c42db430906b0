import ConclaveCore
import ConclaveTree
import Testing

/// The tree against files that the reference has written.
@Suite struct VectorTests {
    private var options: TreeOptions {
        var options = TreeOptions()
        options.extendedTypes = true
        return options
    }

    @Test("A fresh tree has the digest of a fresh reference")
    func freshDigest() {
        let tree = DataTree()
        #expect(tree.digest == 1_371_985_504)
        #expect(tree.nodeCount == 4)
        #expect(TreeImage(tree).computedDigest == tree.digest)
    }

    @Test("An empty database loads as a fresh tree")
    func emptySnapshot() throws {
        let (tree, problems) = try Vectors.tree("snapshot.0", zxid: 0, options: options)
        #expect(problems.isEmpty)
        #expect(TreeImage(tree) == TreeImage(DataTree(options: options)))
    }

    @Test("Replaying the log on the empty database gives the tree of the later snapshot, with every digest on the way")
    func replay() throws {
        var (tree, _) = try Vectors.tree("snapshot.0", zxid: 0, options: options)
        let transactions = try Vectors.transactions("log.1")
        #expect(transactions.count == 21)
        var effects = TreeEffects(isRecording: false)
        for transaction in transactions {
            tree.apply(transaction, effects: &effects)
            #expect(effects.digestMismatch == nil, "\(transaction.header.zxid)")
            if let digest = transaction.digest { #expect(digest.value == tree.digest, "\(transaction.header.zxid)") }
        }
        #expect(tree.digest == 15_121_726_063)
        #expect(tree.lastProcessed == Zxid(rawValue: 0x15))
        let (expected, problems) = try Vectors.tree("snapshot.15", zxid: 0x15, options: options)
        #expect(problems.isEmpty)
        #expect(TreeImage(tree).differences(from: TreeImage(expected)).isEmpty)
        #expect(tree.text("/zookeeper/quota/a/zookeeper_stats") == "count=3,bytes=6")
    }

    @Test("Replaying the whole log once more over its end changes nothing that lasts")
    func replayTwice() throws {
        var (tree, _) = try Vectors.tree("snapshot.15", zxid: 0x15, options: options)
        let before = TreeImage(tree)
        var effects = TreeEffects(isRecording: false)
        for transaction in try Vectors.transactions("log.1") { tree.apply(transaction, effects: &effects) }
        #expect(TreeImage(tree).nodes == before.nodes)
        #expect(tree.digest == before.digest)
        #expect(tree.sessions == before.sessions)
    }

    @Test("A digest that does not fit is told with both values")
    func mismatch() {
        var tree = DataTree()
        var effects = TreeEffects()
        let change = Make.create("/a")
        tree.apply(
            Transaction(header: Make.header(1), change: change, digest: TreeDigest(value: 7)), effects: &effects)
        #expect(effects.digestMismatch?.zxid == Zxid(rawValue: 1))
        #expect(effects.digestMismatch?.expected == 7)
        #expect(effects.digestMismatch?.found == tree.digest)
        effects.removeAll()
        tree.apply(
            Transaction(
                header: Make.header(2), change: .check(path: "/a", version: 1), digest: TreeDigest(version: 1, value: 7)
            ),
            effects: &effects)
        #expect(effects.isEmpty)
    }

    struct DigestCase: Decodable {
        var credential: String
        var id: String
    }

    @Test("Credentials of the digest scheme give the reference's ids")
    func digestIdentities() throws {
        for entry in try Vectors.computed("digest_auth", as: [DigestCase].self) {
            let identities = AccessControl.authenticate(
                scheme: "digest", credential: Array(entry.credential.utf8), superDigest: nil, peerAddress: "")
            #expect(identities == [Identity(scheme: "digest", id: entry.id)])
        }
    }

    struct OwnerCase: Decodable {
        var ttl: Int64
        var ephemeralOwner: String
    }

    @Test("Times to live are stored as the reference stores them and shown to nobody")
    func timesToLive() throws {
        for (number, entry) in try Vectors.computed("ttl_owner", as: [OwnerCase].self).enumerated() {
            var tree = DataTree(options: options)
            tree.apply(Int64(number + 1), Make.create("/t", form: .timeToLive, ttl: entry.ttl))
            let expected = UInt64(entry.ephemeralOwner, radix: 16).map { Int64(bitPattern: $0) }
            #expect(tree.stored("/t")?.owner == expected)
            #expect(tree.stat("/t")?.ephemeralOwner == SessionID.none)
            #expect(tree.ephemeralCount == 0)
        }
    }

    struct AddressCase: Decodable {
        var client: String
        var acl: String
        var acl_valid: Bool
        var matches: Bool
    }

    @Test("Addresses match as the reference matches them")
    func addresses() throws {
        for entry in try Vectors.computed("ip_match", as: [AddressCase].self) {
            let acl = [ACL(.all, for: Identity(scheme: "ip", id: entry.acl))]
            #expect((AccessControl.normalise(acl, identities: []) != nil) == entry.acl_valid, "\(entry.acl)")
            let isAllowed = AccessControl.isAllowed(
                .read, by: acl, identities: [Identity(scheme: "ip", id: entry.client)])
            #expect(isAllowed == entry.matches, "\(entry.client) \(entry.acl)")
        }
    }

    struct QuotaCase: Decodable {
        var `in`: String
        var out: String
        var count: Int64
        var bytes: Int64
        var countHard: Int64
        var byteHard: Int64
    }

    @Test("Quota texts are read and written as the reference does")
    func quotaTexts() throws {
        for entry in try Vectors.computed("stats_track", as: [QuotaCase].self) {
            let limits = QuotaLimits(parsing: Array(entry.in.utf8))
            #expect(String(decoding: limits.encoded, as: UTF8.self) == entry.out)
            #expect(limits.count == entry.count)
            #expect(limits.bytes == entry.bytes)
            #expect(limits.countHardLimit ?? -1 == entry.countHard)
            #expect(limits.bytesHardLimit ?? -1 == entry.byteHard)
        }
    }
}
