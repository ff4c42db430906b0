import ConclaveCore
import ConclaveSession
import ConclaveWire
import Testing

@Suite struct WatchTests {
    static let kinds: [WatcherKind] = [.data, .existence, .children, .persistent, .recursive]

    /// Source: wire-protocol section 15.
    static func isTold(_ kind: WatcherKind, _ event: WatchEvent.Kind) -> Bool {
        switch (kind, event) {
        case (.data, .created), (.data, .dataChanged), (.data, .deleted): true
        case (.existence, .created), (.existence, .dataChanged), (.existence, .deleted): true
        case (.children, .childrenChanged), (.children, .deleted): true
        case (.persistent, _): true
        case (.recursive, .created), (.recursive, .dataChanged), (.recursive, .deleted): true
        case (.data, .childrenChanged), (.existence, .childrenChanged), (.recursive, .childrenChanged): false
        case (.children, .created), (.children, .dataChanged): false
        }
    }

    @Test("Each kind of watch hears what it should, once or again and again", arguments: kinds)
    func matrix(_ kind: WatcherKind) throws {
        for event in [WatchEvent.Kind.created, .deleted, .dataChanged, .childrenChanged] {
            var talk = try Conversation()
            talk.establish()
            let watcher = try talk.arm(kind, "/a")
            let expected: [SessionAction] =
                Self.isTold(kind, event) ? [.fire(watcher, WatchEvent(event, path: "/a"))] : []
            talk.event(event, "/a")
            #expect(talk.actions() == expected, "\(kind) and \(event)")
            talk.event(event, "/a")
            let staysArmed = kind == .persistent || kind == .recursive
            #expect(talk.actions() == (staysArmed ? expected : []), "\(kind) and \(event) again")
            talk.event(.dataChanged, "/ab")
            #expect(talk.actions().isEmpty)
        }
    }

    @Test("A recursive watch hears of everything below, at any depth, and of nothing beside")
    func recursive() throws {
        var talk = try Conversation()
        talk.establish()
        let watcher = try talk.arm(.recursive, "/a")
        let root = try talk.arm(.recursive, "/")
        talk.event(.created, "/a/b/c")
        #expect(
            talk.actions() == [watcher, root].map { .fire($0, WatchEvent(.created, path: "/a/b/c")) })
        talk.event(.created, "/ab")
        #expect(talk.actions() == [.fire(root, WatchEvent(.created, path: "/ab"))])
        talk.event(.childrenChanged, "/a")
        #expect(talk.actions().isEmpty)
        talk.event(.deleted, "/")
        #expect(talk.actions() == [.fire(root, WatchEvent(.deleted, path: "/"))])
    }

    @Test("Several watchers of one path all hear, in the order of their registration")
    func several() throws {
        var talk = try Conversation()
        talk.establish()
        let first = try talk.arm(.data, "/a")
        let second = try talk.arm(.persistent, "/a")
        let third = try talk.arm(.children, "/a")
        let event = WatchEvent(.deleted, path: "/a")
        talk.event(.deleted, "/a")
        #expect(talk.actions() == [.fire(first, event), .fire(second, event), .fire(third, event)])
    }

    @Test("A watch is registered when the answer comes: an event before it is another's")
    func eventBeforeReply() throws {
        var talk = try Conversation()
        talk.establish()
        let (_, watcher) = try talk.watch(.data, "/a")
        talk.event(.dataChanged, "/a")
        #expect(talk.actions().isEmpty)
        talk.reply(1, .data([], .sample), to: .getData)
        _ = talk.actions()
        talk.event(.dataChanged, "/a")
        #expect(talk.actions() == [.fire(watcher, WatchEvent(.dataChanged, path: "/a"))])
    }

    @Test("A refused request arms nothing, except exists of a missing node", arguments: kinds)
    func refused(_ kind: WatcherKind) throws {
        var talk = try Conversation()
        talk.establish()
        _ = try talk.watch(kind, "/a")
        talk.refuse(1, .noNode)
        #expect(talk.machine.watcherCount == (kind == .existence ? 1 : 0))
        _ = try talk.watch(kind, "/b")
        talk.refuse(2, .noAuth)
        #expect(talk.machine.watcherCount == (kind == .existence ? 1 : 0))
    }

    @Test("A lost answer leaves no watch behind")
    func lostAnswer() throws {
        var talk = try Conversation()
        talk.establish()
        _ = try talk.watch(.data, "/a")
        _ = talk.requests()
        talk.reconnect()
        talk.accept()
        #expect(talk.requests().isEmpty)
        #expect(talk.machine.watcherCount == 0)
    }

    @Test("After a reconnection credentials come first, then the watches, then what waited")
    func rearming() throws {
        var talk = try Conversation("a:1", { $0.credentials = [SessionCredential(scheme: "digest", secret: [1])] })
        talk.establish()
        talk.reply(ReservedXid.auth)
        _ = try talk.arm(.data, "/d")
        _ = try talk.arm(.existence, "/e")
        _ = try talk.arm(.children, "/c")
        try talk.submit(.sync(path: "/"))
        talk.reply(4, zxid: 42, .path("/"), to: .sync)
        _ = talk.requests()
        talk.lose()
        try talk.submit(.sync(path: "/late"))
        talk.openConnection()
        talk.accept()
        let frames = talk.requests()
        #expect(frames.map(\.xid).prefix(2) == [ReservedXid.auth, ReservedXid.setWatches])
        #expect(
            frames.map(\.request) == [
                .auth(scheme: "digest", credential: [1]),
                .setWatches(
                    SetWatches(relativeZxid: Zxid(rawValue: 42), data: ["/d"], exist: ["/e"], child: ["/c"])),
                .sync(path: "/late"),
            ])
        // setWatches2 only once there is something that needs it.
        frames[1].request.expect(operation: .setWatches)
        _ = talk.actions()
        talk.reply(ReservedXid.auth)
        talk.event(.dataChanged, "/d")
        talk.reply(ReservedXid.setWatches)
        #expect(talk.actions().fired.count == 1)
        talk.lose()
        talk.openConnection()
        talk.accept()
        #expect(
            talk.requests()[1].request
                == .setWatches(SetWatches(relativeZxid: Zxid(rawValue: 42), exist: ["/e"], child: ["/c"])))
    }

    @Test("Persistent watches make it setWatches2")
    func rearmingPersistent() throws {
        var talk = try Conversation()
        talk.establish()
        _ = try talk.arm(.persistent, "/p")
        _ = try talk.arm(.recursive, "/r")
        talk.reconnect()
        talk.accept()
        let request = talk.requests()[0].request
        #expect(
            request
                == .setWatches(
                    SetWatches(relativeZxid: Zxid(rawValue: 1), persistent: ["/p"], persistentRecursive: ["/r"])))
        request.expect(operation: .setWatches2)
    }

    @Test("Many watches are armed again in requests of at most 128 KiB of paths, none left out")
    func chunks() throws {
        var talk = try Conversation()
        talk.establish()
        let tail = String(repeating: "x", count: 1_000)
        for number in 0..<300 { _ = try talk.arm(.data, "/\(number)-" + tail) }
        talk.reconnect()
        talk.accept()
        let frames = talk.requests()
        var paths: [NodePath] = []
        for frame in frames {
            guard case .setWatches(let watches) = frame.request else { return #expect(Bool(false)) }
            #expect(watches.data.map { $0.utf8.count + 4 }.reduce(0, +) <= 131_072)
            paths += watches.data
        }
        #expect(frames.count == 3)
        #expect(Set(paths).count == 300)
        for _ in frames { talk.reply(ReservedXid.setWatches) }
        #expect(talk.machine.status == .reconnected)
    }

    @Test("A server that does not take the watches is left")
    func rearmingRefused() throws {
        var talk = try Conversation()
        talk.establish()
        _ = try talk.arm(.data, "/a")
        talk.reconnect()
        talk.accept()
        talk.refuse(ReservedXid.setWatches, .marshallingError)
        #expect(talk.machine.status == .suspended)
    }

    @Test("Dropping the last watcher of a kind tells the server, dropping one of two does not")
    func dropping() throws {
        var talk = try Conversation()
        talk.establish()
        let first = try talk.arm(.data, "/a")
        let second = try talk.arm(.existence, "/a")
        talk.machine.drop(first, now: talk.now)
        #expect(talk.requests().isEmpty)
        talk.machine.drop(second, now: talk.now)
        let frames = talk.requests()
        #expect(frames.map(\.request) == [.removeWatches(path: "/a", type: 2)])
        talk.reply(frames[0].xid)
        #expect(talk.actions().isEmpty)
        #expect(talk.machine.watcherCount == 0)
        let child = try talk.arm(.children, "/a")
        talk.machine.drop(child, now: talk.now)
        #expect(talk.requests().map(\.request) == [.removeWatches(path: "/a", type: 1)])
    }

    @Test("A watch is not taken from somebody who is just arming the same one")
    func dropWhileArming() throws {
        var talk = try Conversation()
        talk.establish()
        let old = try talk.arm(.data, "/a")
        let (_, new) = try talk.watch(.data, "/a")
        let xid = talk.requests()[0].xid
        talk.machine.drop(old, now: talk.now)
        #expect(talk.requests().isEmpty)
        talk.reply(xid, .data([], .sample), to: .getData)
        _ = talk.actions()
        talk.event(.dataChanged, "/a")
        #expect(talk.actions().fired == [.fire(new, WatchEvent(.dataChanged, path: "/a"))])
    }

    @Test("When the new one fails after all, the server is told")
    func dropWhileArmingFails() throws {
        var talk = try Conversation()
        talk.establish()
        let old = try talk.arm(.data, "/a")
        _ = try talk.watch(.data, "/a")
        let xid = talk.requests()[0].xid
        talk.machine.drop(old, now: talk.now)
        talk.refuse(xid, .noAuth)
        #expect(talk.requests().map(\.request) == [.removeWatches(path: "/a", type: 2)])
    }

    @Test("A watch that a cancelled request arms is removed again")
    func cancelledArming() throws {
        var talk = try Conversation()
        talk.establish()
        let (id, _) = try talk.watch(.children, "/a")
        let xid = talk.requests()[0].xid
        #expect(talk.machine.cancel(id) == true)
        talk.reply(xid, .children([], .sample), to: .getChildren2)
        #expect(talk.actions().isEmpty)
        #expect(talk.requests().map(\.request) == [.removeWatches(path: "/a", type: 1)])
        #expect(talk.machine.watcherCount == 0)
    }

    @Test("Beside a persistent watch nothing is removed alone; with the last of all everything is")
    func droppingBesidePersistent() throws {
        var talk = try Conversation()
        talk.establish()
        let persistent = try talk.arm(.persistent, "/a")
        let data = try talk.arm(.data, "/a")
        talk.machine.drop(data, now: talk.now)
        #expect(talk.requests().isEmpty)
        talk.machine.drop(persistent, now: talk.now)
        #expect(talk.requests().map(\.request) == [.removeWatches(path: "/a", type: 3)])
    }

    @Test("Dropped watchers are not armed again, and nothing is removed without a connection")
    func droppedWhileSuspended() throws {
        var talk = try Conversation()
        talk.establish()
        let gone = try talk.arm(.data, "/a")
        _ = try talk.arm(.data, "/b")
        talk.lose()
        talk.machine.drop(gone, now: talk.now)
        talk.openConnection()
        talk.accept()
        #expect(
            talk.requests().map(\.request) == [.setWatches(SetWatches(relativeZxid: Zxid(rawValue: 1), data: ["/b"]))])
    }

    @Test("Removing watches by hand ends their watchers when the server agrees, not otherwise")
    func removing() throws {
        var talk = try Conversation()
        talk.establish()
        let data = try talk.arm(.data, "/a")
        let existence = try talk.arm(.existence, "/a")
        let child = try talk.arm(.children, "/a")
        let refused = try talk.machine.removeWatches(.data, at: "/a", now: talk.now)
        var xid = talk.requests()[0].xid
        talk.refuse(xid, .noWatcher)
        #expect(talk.actions() == [.complete(refused, .refused(.noWatcher))])
        let id = try talk.machine.removeWatches(.data, at: "/a", now: talk.now)
        xid = talk.requests()[0].xid
        talk.reply(xid)
        #expect(talk.actions() == [.endWatch(data, .noWatcher), .endWatch(existence, .noWatcher), .done(id)])
        let all = try talk.machine.removeWatches(.any, at: "/a", now: talk.now)
        talk.reply(talk.requests()[0].xid)
        #expect(talk.actions() == [.endWatch(child, .noWatcher), .done(all)])
    }

    @Test("The end of the session ends every watch")
    func sessionEnd() throws {
        var talk = try Conversation()
        talk.establish()
        let watchers = try Self.kinds.map { try talk.arm($0, "/a") }
        talk.reconnect()
        talk.accept(timeout: 0, session: .none)
        let ended = talk.actions().filter { if case .endWatch = $0 { true } else { false } }
        #expect(ended == watchers.map { .endWatch($0, .sessionExpired) })
    }

    @Test("Events lose the chroot; one outside of it stays as it is")
    func chroot() throws {
        var talk = try Conversation("a:1/shop")
        talk.establish()
        let root = try talk.arm(.children, "/shop")
        let inside = try talk.arm(.data, "/shop/a")
        let outside = try talk.arm(.data, "/zookeeper/config")
        talk.event(.childrenChanged, "/shop")
        talk.event(.dataChanged, "/shop/a")
        talk.event(.dataChanged, "/zookeeper/config")
        #expect(
            talk.actions() == [
                .fire(root, WatchEvent(.childrenChanged, path: "/")),
                .fire(inside, WatchEvent(.dataChanged, path: "/a")),
                .fire(outside, WatchEvent(.dataChanged, path: "/zookeeper/config")),
            ])
    }
}

extension ClientRequest {
    func expect(operation: OperationCode) { #expect(self.operation == operation) }
}
