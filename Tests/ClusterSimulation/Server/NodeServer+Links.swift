import ConclaveConsensus
import ConclaveCore
import ConclaveNode
import ConclaveSimulator
import ConclaveWire

/// Connections: of other servers and of clients.
extension NodeServer {
    package mutating func dialled(_ link: Link, world: inout World) {
        let id = LinkID(rawValue: link.rawValue)
        switch peers[id]?.use {
        case .dialsElection(let server):
            peers[id]?.use = .open
            node?.electionDialled(server, link: id, now: Self.now(world, planted), wall: world.wall)
        case .dialsLeader:
            peers[id]?.use = .leader
            acknowledging = QuorumPacketDecoder()
            node?.leaderDialled(id, now: Self.now(world, planted), wall: world.wall)
        case .accepted, .open, .leader, nil: break
        }
        work(&world)
    }

    package mutating func dialFailed(_ link: Link, world: inout World) {
        switch peers.removeValue(forKey: LinkID(rawValue: link.rawValue))?.use {
        case .dialsElection(let server):
            // The bug: nobody tells the machine, which goes on waiting.
            if planted == .givesUpDialling { break }
            node?.electionDialFailed(server, now: Self.now(world, planted), wall: world.wall)
        case .dialsLeader: node?.leaderDialFailed(now: Self.now(world, planted), wall: world.wall)
        case .accepted, .open, .leader, nil: break
        }
        work(&world)
    }

    package mutating func accepted(_ link: Link, on port: Port, world: inout World) {
        let id = LinkID(rawValue: link.rawValue)
        switch port {
        case .client:
            guard
                let connection = node?.server.connectionOpened(
                    peer: "client:\(link.rawValue)", peerAddress: "client", now: Self.now(world, planted),
                    wall: world.wall)
            else { return }
            clients[connection] = link
            connections[link] = connection
        case .election:
            peers[id] = Peer(link: link, port: port, use: .accepted)
            node?.electionAccepted(id, now: Self.now(world, planted), wall: world.wall)
        case .quorum:
            peers[id] = Peer(link: link, port: port, use: .accepted)
            node?.learnerAccepted(id, now: Self.now(world, planted), wall: world.wall)
        }
        work(&world)
    }

    package mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World) {
        let id = LinkID(rawValue: link.rawValue)
        if let connection = connections[link] {
            node?.server.received(bytes, on: connection, now: Self.now(world, planted), wall: world.wall)
        } else if let peer = peers[id] {
            switch peer.port {
            case .election: node?.electionReceived(bytes, on: id, now: Self.now(world, planted), wall: world.wall)
            case .quorum: node?.quorumReceived(bytes, on: id, now: Self.now(world, planted), wall: world.wall)
            case .client: break
            }
        }
        work(&world)
    }

    package mutating func closed(_ link: Link, world: inout World) {
        let id = LinkID(rawValue: link.rawValue)
        if let connection = connections.removeValue(forKey: link) {
            clients[connection] = nil
            blocked.removeAll { $0 == connection }
            node?.server.connectionClosed(connection, now: Self.now(world, planted), wall: world.wall)
        } else if let peer = peers.removeValue(forKey: id) {
            switch (peer.port, peer.use) {
            case (.election, _): node?.electionClosed(id, now: Self.now(world, planted), wall: world.wall)
            case (.quorum, _):
                snapshotWaiters.removeAll { $0 == id }
                snapshotReaders.removeAll { $0 == id }
                node?.quorumClosed(id, now: Self.now(world, planted), wall: world.wall)
            case (.client, _): break
            }
        }
        work(&world)
    }

    package mutating func drained(_ link: Link, world: inout World) {
        let id = LinkID(rawValue: link.rawValue)
        if let connection = connections[link] {
            blocked.removeAll { $0 == connection }
            flush(connection, &world)
        } else if peers[id]?.port == .quorum {
            node?.quorumDrained(id, now: Self.now(world, planted), wall: world.wall)
        }
        if isSnapshotStalled {
            isSnapshotStalled = false
            writeSnapshotSlice(&world)
        }
        work(&world)
    }

    // MARK: Sending to servers

    mutating func sendElection(_ bytes: [UInt8], on id: LinkID, _ world: inout World) {
        guard let peer = peers[id] else { return }
        world.send(tampered(election: bytes), on: peer.link)
    }

    mutating func sendQuorum(_ bytes: [UInt8], on id: LinkID, _ world: inout World) {
        guard let peer = peers[id] else { return }
        if peer.use == .leader { observeAcknowledgements(bytes, &world) }
        let changed = tampered(quorum: bytes, toLeader: peer.use == .leader)
        world.send(changed, on: peer.link)
        // Told at once if everything has left, otherwise when it has.
        if world.hasRoom(peer.link) { node?.quorumDrained(id, now: Self.now(world, planted), wall: world.wall) }
    }

    // MARK: Clients

    /// Sends what the machine has for clients, and does what it wants done with them.
    mutating func serveClients(_ world: inout World) {
        hasClientWork = false
        performClientActions(&world)
        while let flushable = node?.server.takeFlushable(), !flushable.isEmpty {
            for connection in flushable { flush(connection, &world) }
            performClientActions(&world)
            // Whatever that brought about is for the next turn.
            hasClientWork = true
        }
    }

    private mutating func performClientActions(_ world: inout World) {
        while let actions = node?.server.takeActions(), !actions.isEmpty {
            hasClientWork = true
            for action in actions {
                switch action {
                case .close(let connection, let reason):
                    guard let link = clients.removeValue(forKey: connection) else { continue }
                    world.note("closes \(link): \(reason)")
                    sendOutput(of: connection, on: link, &world)
                    world.close(link)
                    connections[link] = nil
                    blocked.removeAll { $0 == connection }
                    node?.server.connectionClosed(connection, now: Self.now(world, planted), wall: world.wall)
                case .pauseReading, .resumeReading, .command: break
                case .note(let event): observe(event, &world)
                }
            }
        }
    }

    private mutating func flush(_ connection: ConnectionID, _ world: inout World) {
        guard let link = clients[connection], !blocked.contains(connection) else { return }
        guard world.hasRoom(link) else { return blocked.append(connection) }
        sendOutput(of: connection, on: link, &world)
        node?.server.outputDrained(connection, now: Self.now(world, planted), wall: world.wall)
    }

    private mutating func sendOutput(of connection: ConnectionID, on link: Link, _ world: inout World) {
        var output: [UInt8] = []
        node?.server.takeOutput(of: connection) { bytes in
            output.reserveCapacity(bytes.count)
            for index in bytes.indices { output.append(bytes[index]) }
        }
        if !output.isEmpty { world.send(tampered(replies: output), on: link) }
    }
}
