import ConclaveCore
import ConclaveSimulator

/// Clients as the server sees them that they are connected to.
extension ToyServer {
    mutating func asked(_ message: ToyMessage, on link: Link, _ world: inout World) {
        guard let index = guests.firstIndex(where: { $0.link == link }) else { return }
        switch message {
        case .connect(let session, let last, let timeout): connect(index, session, last, timeout, &world)
        case .request, .bye, .watch:
            guard guests[index].isConnected else { return drop(link, &world) }
            guests[index].requests.append(message)
            process(index, &world)
        case .ping(let number):
            guard guests[index].isConnected else { return }
            if case .leader = role {
                touch(guests[index].session, number, via: nil, &world)
            } else if case .follower(let leader?) = role {
                send(.touch(session: guests[index].session, ping: number), to: leader, &world)
            }
        default: drop(link, &world)
        }
    }

    private mutating func connect(
        _ index: Int, _ session: SessionID, _ last: Zxid, _ timeout: Int32, _ world: inout World
    ) {
        let link = guests[index].link
        if session == .none {
            let fresh = SessionID(rawValue: Int64(world.random.next() >> 1) | 1)
            guests[index].session = fresh
            guests[index].isOpening = true
            let command = ToyCommand(kind: .open, value: Int64(timeout))
            return forward(fresh, 0, command, &world)
        }
        guard last <= state.lastApplied || bug == .takesClientsThatAreAhead else { return drop(link, &world) }
        guard state.contains(session) else {
            // Only a server that has seen as much as the client can tell that the session is over.
            if last <= state.lastApplied { world.send(ToyMessage.noSession.frame, on: link) }
            return drop(link, &world)
        }
        for other in guests where other.session == session && other.link != link { drop(other.link, &world) }
        guard let place = guests.firstIndex(where: { $0.link == link }) else { return }
        guests[place].session = session
        guests[place].isConnected = true
        world.send(ToyMessage.connected(session: session, zxid: state.lastApplied).frame, on: link)
    }

    /// Goes on with a client's requests until one has to wait.
    private mutating func process(_ index: Int, _ world: inout World) {
        while guests[index].pending == nil, let message = guests[index].requests.popFirst() {
            let link = guests[index].link
            switch message {
            case .request(let cxid, let command, let watches):
                guard command.kind != .read else {
                    let reply = ToyMessage.reply(cxid: cxid, zxid: state.lastApplied, answer: state.read(command.key))
                    if watches { guests[index].watches |= 1 << UInt32(command.key) }
                    if bug == .readsEarly {
                        guests[index].late.append(reply)
                    } else {
                        world.send(reply.frame, on: link)
                    }
                    continue
                }
                wait(index, for: cxid, command, &world)
            case .bye(let cxid): wait(index, for: cxid, ToyCommand(kind: .close), &world)
            case .watch(let keys, let last):
                for key in keys {
                    if state.registers[Int(key)].changedAt > last, bug != .missesChangesWhileAway {
                        world.send(ToyMessage.event(key: key).frame, on: link)
                    } else {
                        guests[index].watches |= 1 << UInt32(key)
                    }
                }
            default: break
            }
        }
    }

    private mutating func wait(_ index: Int, for cxid: Int32, _ command: ToyCommand, _ world: inout World) {
        guests[index].pending = cxid
        guests[index].pendingCommand = command
        guests[index].pendingSince = world.now
        forward(guests[index].session, cxid, command, &world)
    }

    private mutating func forward(
        _ session: SessionID, _ cxid: Int32, _ command: ToyCommand, _ world: inout World
    ) {
        switch role {
        case .leader: forwarded(session, cxid, command, &world)
        case .follower(let leader?): send(.forward(session: session, cxid: cxid, command: command), to: leader, &world)
        case .follower, .candidate: break
        }
    }

    mutating func forwarded(_ session: SessionID, _ cxid: Int32, _ command: ToyCommand, _ world: inout World) {
        guard case .leader(let leadership) = role, leadership.isActive else { return }
        propose(session, cxid: cxid, command, &world)
        if bug == .answersBeforeCommit, let place = log.indices.last,
            let index = guests.firstIndex(where: { $0.session == session && $0.isConnected })
        {
            var ahead = state
            for entry in log[committed...] where entry.zxid < log[place].zxid { _ = ahead.apply(entry, salt: 0) }
            reply(index, log[place], ahead.apply(log[place], salt: 0), &world)
        }
    }

    /// An entry was applied: events first, then the answer.
    mutating func tellGuests(_ entry: ToyEntry, _ answer: ToyAnswer, _ world: inout World) {
        switch entry.command.kind {
        case .set, .swap:
            let bit = UInt32(1) << UInt32(entry.command.key)
            guard answer.isDone else { break }
            for index in guests.indices where guests[index].watches & bit != 0 {
                guests[index].watches &= ~bit
                let event = ToyMessage.event(key: entry.command.key)
                if bug == .delaysEvents {
                    guests[index].late.append(event)
                } else {
                    world.send(event.frame, on: guests[index].link)
                }
            }
        case .open:
            guard let index = guests.firstIndex(where: { $0.session == entry.session && $0.isOpening }) else { return }
            guests[index].isOpening = false
            guests[index].isConnected = true
            let message = ToyMessage.connected(session: entry.session, zxid: entry.zxid)
            return world.send(message.frame, on: guests[index].link)
        case .close:
            guard let guest = guests.first(where: { $0.session == entry.session }) else { return }
            world.send(ToyMessage.noSession.frame, on: guest.link)
            return drop(guest.link, &world)
        case .begin, .read: return
        }
        if let index = guests.firstIndex(where: { $0.session == entry.session && $0.pending == entry.cxid }) {
            reply(index, entry, answer, &world)
        }
    }

    private mutating func reply(_ index: Int, _ entry: ToyEntry, _ answer: ToyAnswer, _ world: inout World) {
        guests[index].pending = nil
        let message = ToyMessage.reply(cxid: entry.cxid, zxid: entry.zxid, answer: answer)
        world.send(message.frame, on: guests[index].link)
        process(index, &world)
    }

    /// Only bugs leave something to do here.
    mutating func tendGuests(_ world: inout World) {
        for index in guests.indices {
            let (late, link) = (guests[index].late, guests[index].link)
            guests[index].late = []
            for message in late {
                if case .reply(let cxid, _, let answer) = message {
                    world.send(ToyMessage.reply(cxid: cxid, zxid: state.lastApplied, answer: answer).frame, on: link)
                } else {
                    world.send(message.frame, on: link)
                }
            }
            guard bug == .repeatsRequests, let cxid = guests[index].pending,
                world.now > guests[index].pendingSince.advanced(byMilliseconds: 150)
            else { continue }
            guests[index].pendingSince = world.now
            forward(guests[index].session, cxid, guests[index].pendingCommand, &world)
        }
    }
}
