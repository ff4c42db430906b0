import ConclaveCore
import ConclaveWire

/// Who dials, who keeps which connection, and what arrives on it.
extension ElectionLinks {
    // MARK: Handshakes and messages

    /// Collects the handshake of an accepted connection and acts on it.
    mutating func receivedHandshake(_ bytes: Span<UInt8>, at place: Int, now: Instant) {
        let link = halfOpen[place].link
        // Safe: the pointer does not leave the closure.
        unsafe bytes.withUnsafeBufferPointer { unsafe halfOpen[place].bytes.append(contentsOf: $0) }
        let received: (handshake: ElectionHandshake, count: Int)
        do {
            guard let whole = try ElectionHandshake.decode(halfOpen[place].bytes) else { return }
            received = whole
        } catch {
            refuse(
                halfOpen.remove(at: place).link, "a connection to the election port began with no handshake: \(error)")
            return
        }
        let rest = Array(halfOpen[place].bytes[received.count...])
        halfOpen.remove(at: place)
        guard let index = introduced(received.handshake, on: link, now: now) else { return }
        keep(link, for: index, now: now)
        guard let place = openIndex(of: link) else { return }
        open[place].decoder.append(rest.span)
        takeMessages(of: link, now: now)
    }

    /// Decides what becomes of an accepted connection.
    ///
    /// - Returns: the peer that it is kept for.
    private mutating func introduced(_ handshake: ElectionHandshake, on link: LinkID, now: Instant) -> Int? {
        var server = handshake.server
        if server == options.myID {
            refuse(link, "a server with this server's id \(server) connected")
            return nil
        }
        let isAnonymous = server == ElectionHandshake.anonymous
        if isAnonymous {
            server = unusedServerID()
        }
        guard let index = index(of: server) ?? addStranger(server) else {
            refuse(link, "too many servers that are not listed, server \(server) among them")
            return nil
        }
        let usable = handshake.addresses.filter { !$0.isWildcard }
        if !usable.isEmpty { peers[index].announced = Array(usable.prefix(EnsembleMember.maximumAddresses)) }
        guard server < options.myID, !isAnonymous else { return index }
        // A knock: the other one has no connection, whatever this side believes.
        actions.append(.close(link))
        if let old = peers[index].link {
            guard now.milliseconds(since: peers[index].linkedAt) >= Self.replaceableAfterMilliseconds else {
                return nil
            }
            drop(old)
            lost(index, now: now)
        }
        peers[index].retryMilliseconds = Self.firstRetryMilliseconds
        dial(index)
        return nil
    }

    /// Hands out the messages that are complete.
    mutating func takeMessages(of link: LinkID, now: Instant) {
        guard let place = openIndex(of: link) else { return }
        let server = open[place].server
        var isSound = true
        do {
            while isSound, let range = try open[place].decoder.nextFrame() {
                isSound = !range.isEmpty
                var reader = ByteReader(open[place].decoder.buffer, in: range)
                // What cannot be read counts for nothing; the messages behind it may be good.
                if let notification = try? ElectionNotification(from: &reader) {
                    actions.append(.message(notification, from: server))
                }
            }
        } catch {
            isSound = false
        }
        guard !isSound else { return }
        refuse(link, "server \(server) sent an election message of an impossible length")
        open.remove(at: place)
        guard let index = index(of: server), peers[index].link == link else { return }
        lost(index, now: now)
        // Whoever sends garbage is not dialled again at once.
        guard peers[index].dialAt != .distantFuture else { return }
        peers[index].dialAt = now.advanced(byMilliseconds: Self.maximumRetryMilliseconds)
    }

    private mutating func refuse(_ link: LinkID, _ reason: String) {
        actions.append(.note(LogEvent(.warning, reason)))
        actions.append(.close(link))
    }

    mutating func sendHandshake(on link: LinkID) {
        var writer = ByteWriter(capacity: 64)
        ElectionHandshake(server: options.myID, addresses: myAddresses).encode(into: &writer)
        actions.append(.send(link, writer.bytes))
    }

    // MARK: Connections of a peer

    /// Makes a connection the one to a server, in place of any other, and sends what waited for it.
    mutating func keep(_ link: LinkID, for index: Int, now: Instant) {
        if let old = peers[index].link { drop(old) }
        peers[index].link = link
        peers[index].linkedAt = now
        peers[index].retryMilliseconds = Self.firstRetryMilliseconds
        peers[index].dialAt = .distantFuture
        let entry = Open(
            link: link, server: peers[index].id,
            decoder: FrameDecoder(maximumBytes: ElectionNotification.maximumBytes))
        open.insert(entry, at: open.firstIndex { $0.link > link } ?? open.count)
        report(index, isReachable: true)
        // What went out on the old connection last may have been lost with it.
        if let message = peers[index].waiting ?? peers[index].last {
            (peers[index].last, peers[index].waiting) = (message, nil)
            actions.append(.send(link, message))
        }
    }

    private mutating func drop(_ link: LinkID) {
        open.removeAll { $0.link == link }
        actions.append(.close(link))
    }

    /// The connection to a server is gone.
    mutating func lost(_ index: Int, now: Instant) {
        peers[index].link = nil
        report(index, isReachable: false)
        let server = peers[index].id
        guard isDialled(server) else { return }
        // A side that dials tries at once; the other gives it time to.
        let delay = server < options.myID ? 0 : Self.knockDelayMilliseconds
        peers[index].dialAt = now.advanced(byMilliseconds: delay)
    }

    // MARK: Dialling

    mutating func dial(_ index: Int) {
        guard peers[index].link == nil, !peers[index].isDialling else { return }
        let addresses = self.addresses(of: peers[index])
        peers[index].dialAt = .distantFuture
        guard !addresses.isEmpty else { return }
        peers[index].isDialling = true
        actions.append(.dial(peers[index].id, addresses))
    }

    /// What the configuration says, then what the server says itself.
    private func addresses(of peer: Peer) -> [ElectionAddress] {
        var addresses: [ElectionAddress] = []
        let member = configuration.member(peer.id) ?? pending?.member(peer.id)
        for address in member?.addresses ?? [] {
            addresses.append(ElectionAddress(host: address.host, port: address.electionPort))
        }
        for address in peer.announced where !addresses.contains(address) { addresses.append(address) }
        return addresses
    }

    /// Plans the next try, twice as far away each time.
    mutating func retryLater(_ index: Int, atLeast least: Int64, now: Instant) {
        guard peers[index].link == nil, isDialled(peers[index].id) else { return }
        let wait = max(peers[index].retryMilliseconds, least)
        peers[index].dialAt = now.advanced(byMilliseconds: wait)
        peers[index].retryMilliseconds = min(wait * 2, Self.maximumRetryMilliseconds)
    }

    /// Whether this server keeps trying to reach another: every voter. Observers come by themselves.
    func isDialled(_ server: ServerID) -> Bool {
        server != options.myID && (configuration.isVoter(server) || pending?.isVoter(server) == true)
    }

    // MARK: Tables

    mutating func report(_ index: Int, isReachable: Bool) {
        guard peers[index].isReachable != isReachable else { return }
        peers[index].isReachable = isReachable
        actions.append(.reachable(peers[index].id, isReachable))
    }

    func index(of server: ServerID) -> Int? { peers.firstIndex { $0.id == server } }

    func openIndex(of link: LinkID) -> Int? { open.firstIndex { $0.link == link } }

    /// Makes room for a server that the configuration does not list; `nil` if there are too many.
    private mutating func addStranger(_ server: ServerID) -> Int? {
        if peers.count(where: isStranger) >= Self.maximumStrangers {
            forgetIdleStrangers()
            guard peers.count(where: isStranger) < Self.maximumStrangers else { return nil }
        }
        return insert(Peer(id: server))
    }

    private func isStranger(_ peer: Peer) -> Bool {
        configuration.member(peer.id) == nil && pending?.member(peer.id) == nil
    }

    /// The greatest negative id that nobody has.
    private func unusedServerID() -> ServerID {
        var candidate = ServerID(rawValue: -1)
        // Ends: there are fewer peers than numbers.
        while candidate == options.myID || index(of: candidate) != nil {
            candidate = ServerID(rawValue: candidate.rawValue - 1)
        }
        return candidate
    }

    private mutating func insert(_ peer: Peer) -> Int {
        let index = peers.firstIndex { $0.id > peer.id } ?? peers.count
        peers.insert(peer, at: index)
        return index
    }

    /// Brings the table up to the configuration: new voters are dialled at once.
    mutating func listPeers(now: Instant) {
        for member in configuration.members + (pending?.members ?? []) where member.id != options.myID {
            let index = self.index(of: member.id) ?? insert(Peer(id: member.id))
            if isDialled(member.id), peers[index].link == nil, !peers[index].isDialling { peers[index].dialAt = now }
        }
        for index in peers.indices where !isDialled(peers[index].id) { peers[index].dialAt = .distantFuture }
        forgetIdleStrangers()
    }

    private mutating func forgetIdleStrangers() {
        let idle = peers.filter { isStranger($0) && $0.link == nil && !$0.isDialling }.map(\.id)
        peers.removeAll { idle.contains($0.id) }
    }
}
