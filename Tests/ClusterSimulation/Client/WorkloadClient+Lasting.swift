import ConclaveCore
import ConclaveSession
import ConclaveSimulator
import ConclaveWire

/// Lasting watches, in some of the runs: the lives of other seeds stay what they were when they showed something.
extension WorkloadClient {
    private static let places = [("/p0", true), ("/p1", false), ("/p2/c0", false), ("/p2", true)]

    static func usesLastingWatches(_ world: borrowing World) -> Bool {
        world.options.seed % 5 == 2 || world.options.seed % 5 == 4
    }

    /// Asks for one more now and then.
    mutating func workOnLasting(_ world: inout World) {
        guard usesLasting, lastingCount < Self.places.count, world.random.chance(perMille: 100) else { return }
        let (path, isRecursive) = Self.places[lastingCount]
        lastingCount += 1
        let interest = WatchInterest(
            isRecursive ? .recursive : .persistent, at: NodePath(path), watcher: machine.takeWatcherID())
        let wire = ClientRequest.addWatch(path: NodePath(path), mode: isRecursive ? 1 : 0)
        guard let id = try? machine.submit(wire, watching: interest, now: world.now) else { return }
        arming[id] = Arming(path: path, isRecursive: isRecursive, watcher: interest.watcher, cxid: nil)
        unsent.append(id)
        act(&world)
    }

    /// The answer to a request for a lasting watch.
    /// - Returns: whether it was one.
    mutating func armed(_ id: RequestID, _ outcome: RequestOutcome, _ world: inout World) -> Bool {
        guard let request = arming.removeValue(forKey: id) else { return false }
        guard let cxid = request.cxid, case .reply = outcome, let zxid = removeAnswer(cxid) else { return true }
        var watch = LastingWatch(path: request.path, isRecursive: request.isRecursive, session: session)
        watch.spells.append(.init(armedAt: zxid, armedMoment: world.moment()))
        lasting[request.watcher] = LivingWatch(index: journal.count, isArmed: true)
        journal.append(watch)
        return true
    }

    /// A frame from the server: events, and the answer that says that the new server has all watches.
    mutating func noteForLasting(_ header: ReplyHeader, _ reader: inout ByteReader, _ world: inout World) {
        guard !lasting.isEmpty else { return }
        switch header.xid {
        case ReservedXid.notification:
            guard let told = try? WatcherEvent(from: &reader), let kind = WatchEvent.Kind(rawValue: told.type) else {
                return
            }
            let event = WatchEvent(kind, path: told.path.text)
            for watcher in lasting.keys.sorted() {
                guard let watch = lasting[watcher], !watch.isArmed, journal[watch.index].wants(event) else { continue }
                lasting[watcher]?.early += 1
            }
        case ReservedXid.setWatches:
            let moment = world.moment()
            for watcher in lasting.keys.sorted() {
                guard let watch = lasting[watcher], !watch.isArmed else { continue }
                lasting[watcher]?.isArmed = true
                journal[watch.index].spells.append(.init(armedAt: header.zxid, armedMoment: moment))
            }
        default: break
        }
    }

    /// - Returns: whether the event was for a lasting watch.
    mutating func heard(_ watcher: WatcherID, _ event: WatchEvent, _ world: inout World) -> Bool {
        guard let watch = lasting[watcher] else { return false }
        guard watch.early == 0 else {
            lasting[watcher]?.early -= 1
            return true
        }
        guard let last = journal[watch.index].spells.indices.last, watch.isArmed else {
            world.fail("no event without a watch", "\(event)")
            return true
        }
        journal[watch.index].spells[last].heard.append(.init(event: event, moment: world.moment()))
        return true
    }

    /// The connection is gone: nobody tells anything until another server has the watches.
    mutating func endSpells(_ world: inout World) {
        let moment = world.moment()
        for watcher in lasting.keys.sorted() {
            guard let watch = lasting[watcher] else { continue }
            lasting[watcher]?.isArmed = false
            lasting[watcher]?.early = 0
            guard watch.isArmed, let last = journal[watch.index].spells.indices.last else { continue }
            journal[watch.index].spells[last].endedMoment = moment
        }
    }

    package static func judge(_ testimony: Testimony<Self>) -> Verdict {
        var judge = LastingWatchJudge(
            testimony.committed, testimony.witnesses.map { (record: $0.record, watches: $0.journal) })
        let broken = judge.judge()
        return Verdict(broken: broken, tallies: ["events of lasting watches": judge.heard])
    }
}
