import ConclaveCore
import ConclaveWire

/// Random values of everything that travels or is stored. Not all of them make sense; all of them can be written.
struct Generator {
    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    // MARK: Values

    mutating func int32() -> Int32 {
        let edges: [Int32] = [0, 1, -1, .min, .max]
        return edges.randomElement(using: &random).flatMap { bool() ? $0 : nil }
            ?? Int32.random(in: .min ... .max, using: &random)
    }

    mutating func int64() -> Int64 {
        let edges: [Int64] = [0, 1, -1, .min, .max]
        return edges.randomElement(using: &random).flatMap { bool() ? $0 : nil }
            ?? Int64.random(in: .min ... .max, using: &random)
    }

    mutating func bool() -> Bool { Bool.random(using: &random) }

    mutating func count(upTo limit: Int) -> Int { Int.random(in: 0...limit, using: &random) }

    mutating func list<Element>(upTo limit: Int, _ element: (inout Generator) -> Element) -> [Element] {
        var elements: [Element] = []
        for _ in 0..<count(upTo: limit) { elements.append(element(&self)) }
        return elements
    }

    mutating func text() -> String {
        let scalars: [Unicode.Scalar] = ["a", "/", "0", "\u{0}", "é", "中", "\u{FFFD}", "😀"]
        return String(String.UnicodeScalarView(list(upTo: 12) { scalars[$0.count(upTo: scalars.count - 1)] }))
    }

    mutating func optionalText() -> String? { bool() ? text() : nil }

    mutating func blob() -> [UInt8] { list(upTo: 40) { UInt8.random(in: 0...255, using: &$0.random) } }

    mutating func data() -> [UInt8]? { bool() ? blob() : nil }

    /// Mostly paths, sometimes any bytes: decoders do not judge.
    mutating func path() -> NodePath { bool() ? NodePath("/" + text()) : NodePath(utf8: blob()) }

    mutating func paths() -> [NodePath] { list(upTo: 4) { $0.path() } }

    mutating func names() -> [String] { list(upTo: 6) { $0.text() } }

    mutating func identity() -> Identity { Identity(scheme: text(), id: text()) }

    mutating func acl() -> [ACL] { list(upTo: 3) { ACL(Permissions(rawValue: $0.int32()), for: $0.identity()) } }

    mutating func zxid() -> Zxid { Zxid(rawValue: int64()) }

    mutating func stat() -> Stat {
        Stat(
            czxid: zxid(), mzxid: zxid(), ctime: int64(), mtime: int64(), version: int32(), cversion: int32(),
            aversion: int32(), ephemeralOwner: SessionID(rawValue: int64()), dataLength: int32(), numChildren: int32(),
            pzxid: zxid())
    }

    mutating func storedStat() -> StoredStat {
        StoredStat(
            czxid: zxid(), mzxid: zxid(), ctime: int64(), mtime: int64(), version: int32(), childCreates: int32(),
            aversion: int32(), owner: int64(), pzxid: zxid())
    }

    // MARK: Requests

    mutating func create() -> ClientRequest {
        let operations: [OperationCode] = [.create, .create2, .createContainer, .createTTL]
        let operation = operations[count(upTo: 3)]
        return .create(
            CreateRequest(
                operation: operation, path: path(), data: data(), acl: acl(), flags: int32(),
                timeToLiveMilliseconds: operation == .createTTL ? int64() : 0))
    }

    mutating func setWatches() -> ClientRequest {
        let isPersistent = bool()
        return .setWatches(
            SetWatches(
                relativeZxid: zxid(), data: paths(), exist: paths(), child: paths(),
                persistent: isPersistent ? paths() : [], persistentRecursive: isPersistent ? paths() : []))
    }

    mutating func multiPart() -> ClientRequest {
        switch count(upTo: 3) {
        case 0: create()
        case 1: .delete(path: path(), version: int32())
        case 2: .setData(path: path(), data: data(), version: int32())
        default: .check(path: path(), version: int32())
        }
    }

    mutating func readPart() -> ClientRequest {
        bool() ? .getData(path: path(), watch: bool()) : .getChildren(path: path(), watch: bool())
    }

    /// How many kinds of requests there are.
    static let requestKinds = 25

    mutating func request(kind: Int) -> ClientRequest {
        switch kind {
        case 0: create()
        case 1: .delete(path: path(), version: int32())
        case 2: .exists(path: path(), watch: bool())
        case 3: .getData(path: path(), watch: bool())
        case 4: .setData(path: path(), data: data(), version: int32())
        case 5: .getACL(path: path())
        case 6: .setACL(path: path(), acl: acl(), version: int32())
        case 7: .getChildren(path: path(), watch: bool())
        case 8: .getChildren2(path: path(), watch: bool())
        case 9: .sync(path: path())
        case 10: .ping
        case 11: .check(path: path(), version: int32())
        case 12: .multi(list(upTo: 6) { $0.multiPart() })
        case 13: .multiRead(list(upTo: 6) { $0.readPart() })
        case 14:
            .reconfig(joining: optionalText(), leaving: optionalText(), newMembers: optionalText(), version: int64())
        case 15: .checkWatches(path: path(), type: int32())
        case 16: .removeWatches(path: path(), type: int32())
        case 17: .auth(scheme: text(), credential: blob())
        case 18: .sasl(token: blob())
        case 19: setWatches()
        case 20: .getEphemerals(prefix: bool() ? path() : nil)
        case 21: .getAllChildrenNumber(path: path())
        case 22: .addWatch(path: path(), mode: int32())
        case 23: .whoAmI
        default: .closeSession
        }
    }
}

// MARK: Replies

extension Generator {
    mutating func multiResult() -> MultiResult {
        switch count(upTo: 6) {
        case 0: .created(path: text(), stat: bool() ? stat() : nil)
        case 1: .deleted
        case 2: .dataSet(stat())
        case 3: .checked
        case 4: .data(data(), stat())
        case 5: .children(names())
        default: .failed(ZooKeeperError.Code(rawValue: int32()))
        }
    }

    /// The body of a successful reply to an operation.
    mutating func reply(to operation: OperationCode) -> ReplyBody {
        switch operation {
        case .create, .sync: .path(text())
        case .create2, .createContainer, .createTTL: .created(path: text(), stat: stat())
        case .exists, .setData, .setACL: .stat(stat())
        case .getData: .data(data(), stat())
        case .getACL: .acl(acl(), stat())
        case .getChildren, .getEphemerals: .names(names())
        case .getChildren2: .children(names(), stat())
        case .multi, .multiRead: .multi(list(upTo: 6) { $0.multiResult() })
        case .reconfig: .configuration(blob(), stat())
        case .sasl: .token(data())
        case .getAllChildrenNumber: .count(int32())
        case .whoAmI: .identities(list(upTo: 4) { $0.identity() })
        default: .none
        }
    }
}

// MARK: Transactions

extension Generator {
    mutating func createChange() -> Change {
        let forms: [CreateChange.Form] = [.create, .create2, .container, .timeToLive]
        let form = forms[count(upTo: 3)]
        return .create(
            CreateChange(
                form: form, path: path(), data: data(), acl: acl(),
                isEphemeral: form == .create || form == .create2 ? bool() : false, parentChildCreates: int32(),
                timeToLiveMilliseconds: form == .timeToLive ? int64() : 0))
    }

    static let partKinds = 7
    /// How many kinds of changes there are.
    static let changeKinds = 11

    mutating func change(kind: Int) -> Change {
        switch kind {
        case 0: createChange()
        case 1: .delete(path: path())
        case 2: .deleteContainer(path: path())
        case 3: .setData(path: path(), data: data(), version: int32())
        case 4: .setACL(path: path(), acl: acl(), version: int32())
        case 5: .error(code: int32())
        case 6: .check(path: path(), version: int32())
        case 7: .reconfigure(path: path(), data: data(), version: int32())
        case 8: .createSession(timeoutMilliseconds: int32())
        case 9: .closeSession(paths: bool() ? paths() : nil)
        default: .multi(list(upTo: 5) { $0.change(kind: $0.count(upTo: Self.partKinds - 1)) })
        }
    }

    mutating func transaction(kind: Int) -> Transaction {
        Transaction(
            header: TransactionHeader(
                session: SessionID(rawValue: int64()), cxid: int32(), zxid: zxid(), timeMilliseconds: int64()),
            change: change(kind: kind), digest: bool() ? TreeDigest(value: int64()) : nil)
    }
}
