import ConclaveCore

/// The distinct access control lists of a tree, counted by the nodes that bear them.
///
/// Slot 0 is the list that is open to the world: its key is -1 and snapshots leave it out. Other keys count up from 1
/// and go on behind the largest one loaded.
struct ACLTable: Sendable {
    static let open: UInt32 = 0
    static let openKey: Int64 = -1
    /// What a key without a list stands for until a create or setACL is replayed: nobody but the super user may do
    /// anything.
    static let locked = [ACL([], for: .anyone)]

    private struct Slot: Sendable {
        var key: Int64
        var acl: [ACL]
        var nodes = 0
    }

    private var slots = [Slot(key: ACLTable.openKey, acl: .open)]
    private var slotOfList: [[ACL]: UInt32] = [:]
    private var slotOfKey: [Int64: UInt32] = [:]
    private var freeSlots: [UInt32] = []
    private var lastKey: Int64 = 0
    /// The slot given out last: most creates repeat the list of the one before.
    private var recent = ACLTable.open

    func key(_ slot: UInt32) -> Int64 { slots[Int(slot)].key }
    func acl(_ slot: UInt32) -> [ACL] { slots[Int(slot)].acl }

    /// Every list in use but the open one, sorted by key.
    var entries: [(key: Int64, acl: [ACL])] {
        slots.dropFirst().filter { $0.nodes > 0 }.map { ($0.key, $0.acl) }.sorted { $0.key < $1.key }
    }

    /// Counts one more node and returns the slot of its list.
    mutating func retain(_ acl: [ACL]) -> UInt32 {
        if slots[Int(recent)].acl == acl, recent == Self.open || slots[Int(recent)].nodes > 0 {
            return retainSlot(recent)
        }
        if acl == .open {
            recent = Self.open
            return Self.open
        }
        let slot = slotOfList[acl] ?? add(acl, key: nextKey())
        slotOfList[acl] = slot
        recent = slot
        return retainSlot(slot)
    }

    private mutating func retainSlot(_ slot: UInt32) -> UInt32 {
        if slot != Self.open { slots[Int(slot)].nodes += 1 }
        return slot
    }

    mutating func release(_ slot: UInt32) {
        guard slot != Self.open else { return }
        slots[Int(slot)].nodes -= 1
        if slots[Int(slot)].nodes == 0 { drop(slot) }
    }

    private mutating func drop(_ slot: UInt32) {
        slotOfKey[slots[Int(slot)].key] = nil
        let acl = slots[Int(slot)].acl
        if slotOfList[acl] == slot { slotOfList[acl] = nil }
        slots[Int(slot)] = Slot(key: 0, acl: [])
        freeSlots.append(slot)
        if recent == slot { recent = Self.open }
    }

    private mutating func add(_ acl: [ACL], key: Int64) -> UInt32 {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
            slots[Int(slot)] = Slot(key: key, acl: acl)
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(key: key, acl: acl))
        }
        slotOfKey[key] = slot
        return slot
    }

    private mutating func nextKey() -> Int64 {
        repeat { lastKey = lastKey == .max ? 1 : lastKey + 1 } while slotOfKey[lastKey] != nil
        return lastKey
    }

    // MARK: Loading

    /// Takes an entry of a snapshot's table; a key that comes twice keeps its first list.
    mutating func load(key: Int64, _ acl: [ACL]) -> Bool {
        guard key != Self.openKey, slotOfKey[key] == nil else { return false }
        lastKey = max(lastKey, key)
        // The reference gives the open list a key of its own; here it has none.
        if acl == .open {
            slotOfKey[key] = Self.open
            return true
        }
        let slot = add(acl, key: key)
        if slotOfList[acl] == nil { slotOfList[acl] = slot }
        return true
    }

    /// Counts one more node that bears a key.
    /// - Returns: the slot, and whether the key was in the table.
    mutating func retain(key: Int64) -> (slot: UInt32, isKnown: Bool) {
        guard key != Self.openKey else { return (Self.open, true) }
        if let slot = slotOfKey[key] { return (retainSlot(slot), true) }
        let slot = add(Self.locked, key: key)
        lastKey = max(lastKey, key)
        return (retainSlot(slot), false)
    }

    /// Forgets what no node bears.
    mutating func dropUnused() {
        for index in slots.indices.dropFirst() where slots[index].nodes == 0 && slots[index].key != 0 {
            drop(UInt32(index))
        }
    }
}
