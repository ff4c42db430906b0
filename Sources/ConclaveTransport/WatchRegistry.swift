import ConclaveSystem

/// Names one watched descriptor. Events for a token that was removed are dropped, even if the system reported them
/// before the removal and the descriptor's number already belongs to another file.
package struct WatchToken: Hashable, Sendable {
    let slot: UInt32
    let generation: UInt32

    /// What the poller carries. The top bit stays clear: the poller keeps some keys for itself.
    var key: UInt64 { UInt64(generation) << 32 | UInt64(slot) }

    init(slot: UInt32, generation: UInt32) {
        self.slot = slot
        self.generation = generation
    }

    init(key: UInt64) {
        slot = UInt32(truncatingIfNeeded: key)
        generation = UInt32(truncatingIfNeeded: key >> 32)
    }
}

/// Hears of a descriptor. Called on the loop only.
package protocol ReadinessHandler: AnyObject {
    /// The descriptor is ready. Level triggered: told again in every turn until the cause is gone.
    func ready(_ readiness: Readiness)
    /// The loop ends and has removed the watch: close the descriptor.
    func abandoned()
}

/// The descriptors of one loop and who hears of them.
struct WatchRegistry {
    struct Entry {
        var descriptor: FileDescriptor
        var interest: Interest
        var generation: UInt32
        /// `nil` if the slot is free.
        var handler: (any ReadinessHandler)?
    }

    private var entries: [Entry] = []
    private var freeSlots: [UInt32] = []
    private(set) var count = 0

    mutating func add(
        _ descriptor: FileDescriptor, interest: Interest, handler: any ReadinessHandler
    ) -> WatchToken {
        count += 1
        if let slot = freeSlots.popLast() {
            let generation = entries[Int(slot)].generation
            entries[Int(slot)] = Entry(
                descriptor: descriptor, interest: interest, generation: generation, handler: handler)
            return WatchToken(slot: slot, generation: generation)
        }
        entries.append(Entry(descriptor: descriptor, interest: interest, generation: 0, handler: handler))
        return WatchToken(slot: UInt32(entries.count - 1), generation: 0)
    }

    subscript(token: WatchToken) -> Entry? {
        let index = Int(token.slot)
        guard index < entries.count, entries[index].generation == token.generation, entries[index].handler != nil else {
            return nil
        }
        return entries[index]
    }

    func handler(of token: WatchToken) -> (any ReadinessHandler)? {
        let index = Int(token.slot)
        guard index < entries.count, entries[index].generation == token.generation else { return nil }
        return entries[index].handler
    }

    mutating func setInterest(of token: WatchToken, to interest: Interest) {
        entries[Int(token.slot)].interest = interest
    }

    mutating func remove(_ token: WatchToken) -> Entry? {
        guard let entry = self[token] else { return nil }
        count -= 1
        entries[Int(token.slot)].handler = nil
        entries[Int(token.slot)].generation = (entry.generation + 1) & 0x7FFF_FFFF
        freeSlots.append(token.slot)
        return entry
    }

    /// Every token in use, in the order of slots.
    var tokens: [WatchToken] {
        entries.indices.filter { entries[$0].handler != nil }
            .map { WatchToken(slot: UInt32($0), generation: entries[$0].generation) }
    }
}
