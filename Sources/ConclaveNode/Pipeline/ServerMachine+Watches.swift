import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Registering watches and sending what they see.
extension ServerMachine {
    /// Leaves a one-shot watch; a connection that has too many is refused.
    mutating func watch(_ path: Range<Int>, in bytes: [UInt8], _ modes: WatchModes, _ slot: Int) throws(ReadFailure) {
        guard watches.add(bytes.span.extracting(path), modes, for: slots[slot].id.rawValue) else {
            throw ReadFailure(.systemError)
        }
    }

    mutating func addWatch(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .addWatch(let path, let mode) = try decode(header.operation, &reader) else { return }
        guard let modes = WatchModes(addWatchMode: mode) else { throw ReadFailure(.marshallingError) }
        guard path.violation == nil else { throw ReadFailure(.badArguments) }
        guard watches.add(path, modes, for: slots[slot].id.rawValue) else { throw ReadFailure(.systemError) }
        reply(slot, xid: header.xid, received: received) { $0.writeInt32(0) }
    }

    mutating func removeWatches(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        let watcher = slots[slot].id.rawValue
        let isFound: Bool
        switch try decode(header.operation, &reader) {
        case .checkWatches(let path, let type):
            guard let modes = WatchModes(watcherType: type) else { throw ReadFailure(.marshallingError) }
            isFound = watches.contains(path, modes, for: watcher)
        case .removeWatches(let path, let type):
            guard let modes = WatchModes(watcherType: type) else { throw ReadFailure(.marshallingError) }
            isFound = watches.remove(path, modes, for: watcher)
        default: throw ReadFailure(.marshallingError)
        }
        guard isFound else { throw ReadFailure(.noWatcher) }
        reply(slot, xid: header.xid, received: received)
    }

    /// Watches of a client that has reconnected: what it missed is sent before the reply.
    mutating func setWatches(
        _ slot: Int, _ header: RequestHeader, _ reader: inout ByteReader, _ received: Instant
    ) throws(ReadFailure) {
        guard case .setWatches(let request) = try decode(header.operation, &reader) else { return }
        let restoration = WatchRestoration(
            relativeZxid: request.relativeZxid, data: request.data, exist: request.exist, child: request.child,
            persistent: request.persistent, recursive: request.persistentRecursive)
        let (missed, isComplete) = watches.restore(restoration, for: slots[slot].id.rawValue, tree: tree)
        for event in missed where maySee(event.acl, slot) {
            sendEvent(event.kind, path: event.path, to: slots[slot].id.rawValue)
        }
        guard isComplete else { throw ReadFailure(.systemError) }
        reply(slot, xid: header.xid, received: received)
    }

    /// Tells the watchers what the last transaction has brought about, each only what it may read (CVE-2024-23944).
    mutating func deliverEvents() {
        guard !watches.isEmpty else { return }
        notifications.removeAll()
        for effect in effects.effects { watches.trigger(effect, into: &notifications) }
        for event in notifications.events {
            for index in event.receivers {
                let watcher = notifications.watchers[index]
                if event.acl != nil {
                    guard let slot = slotIndex[ConnectionID(rawValue: watcher)], maySee(event.acl, slot) else {
                        continue
                    }
                }
                sendEvent(event.kind, path: event.path, to: watcher)
            }
        }
    }

    private func maySee(_ acl: [ACL]?, _ slot: Int) -> Bool {
        guard let acl, !options.skipACL, options.checksReadOnEvents else { return true }
        return AccessControl.isAllowed(.read, by: acl, identities: slots[slot].identities)
    }
}
