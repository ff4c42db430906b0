import ConclaveCore

/// The distinct values of the stored owner field, and which nodes bear them.
///
/// Members are kept for sessions (every node), and for containers and each time to live (nodes without children: those
/// that may have to go). Their order follows from the history of the tree alone.
struct OwnerTable: Sendable {
    /// The slot of nodes without an owner; it keeps no members.
    static let persistent: UInt32 = 0

    private struct Slot: Sendable {
        var stored: Int64
        var kind: NodeOwner
        var nodes = 0
        var members: [UInt32] = []
    }

    private var slots = [Slot(stored: 0, kind: .persistent)]
    private var slotOfValue: [Int64: UInt32] = [0: 0]
    private var freeSlots: [UInt32] = []
    /// How many nodes belong to sessions.
    private(set) var ephemeralCount = 0

    func stored(_ slot: UInt32) -> Int64 { slots[Int(slot)].stored }
    func kind(_ slot: UInt32) -> NodeOwner { slots[Int(slot)].kind }
    func members(_ slot: UInt32) -> [UInt32] { slots[Int(slot)].members }

    func members(ofSession session: SessionID) -> [UInt32] {
        guard let slot = slotOfValue[session.rawValue], case .ephemeral = slots[Int(slot)].kind else { return [] }
        return slots[Int(slot)].members
    }

    /// Sessions that own nodes, sorted.
    var sessions: [SessionID] {
        var result: [SessionID] = []
        for slot in slots where slot.nodes > 0 {
            if case .ephemeral(let session) = slot.kind { result.append(session) }
        }
        return result.sorted()
    }

    /// Slots of containers and times to live, in the order in which they came into use.
    var expiring: [UInt32] {
        slots.indices.compactMap { index in
            switch slots[index].kind {
            case .container, .timeToLive: slots[index].nodes > 0 ? UInt32(index) : nil
            case .persistent, .ephemeral: nil
            }
        }
    }

    /// Counts one more node and returns the slot of its owner.
    mutating func retain(_ stored: Int64, extendedTypes: Bool) -> UInt32 {
        guard stored != 0 else { return Self.persistent }
        let slot = slotOfValue[stored] ?? add(stored, NodeOwner(stored: stored, extendedTypes: extendedTypes))
        slots[Int(slot)].nodes += 1
        if case .ephemeral = slots[Int(slot)].kind { ephemeralCount += 1 }
        return slot
    }

    private mutating func add(_ stored: Int64, _ kind: NodeOwner) -> UInt32 {
        let slot: UInt32
        if let free = freeSlots.popLast() {
            slot = free
            slots[Int(slot)] = Slot(stored: stored, kind: kind)
        } else {
            slot = UInt32(slots.count)
            slots.append(Slot(stored: stored, kind: kind))
        }
        slotOfValue[stored] = slot
        return slot
    }

    /// Counts one node less.
    /// - Parameter keepsSlot: whether the owner will probably own nodes again, as an open session does.
    mutating func release(_ slot: UInt32, keepsSlot: Bool) {
        guard slot != Self.persistent else { return }
        slots[Int(slot)].nodes -= 1
        if case .ephemeral = slots[Int(slot)].kind { ephemeralCount -= 1 }
        if !keepsSlot { dropIfUnused(slot) }
    }

    /// Forgets a session that owns nothing any more.
    mutating func forget(_ session: SessionID) {
        guard let slot = slotOfValue[session.rawValue] else { return }
        dropIfUnused(slot)
    }

    private mutating func dropIfUnused(_ slot: UInt32) {
        guard slot != Self.persistent, slots[Int(slot)].nodes == 0 else { return }
        slotOfValue[slots[Int(slot)].stored] = nil
        slots[Int(slot)] = Slot(stored: 0, kind: .persistent)
        freeSlots.append(slot)
    }

    /// - Returns: the node's place.
    mutating func addMember(_ node: UInt32, to slot: UInt32) -> UInt32 {
        slots[Int(slot)].members.append(node)
        return UInt32(slots[Int(slot)].members.count - 1)
    }

    /// Takes a member out; the last one moves to its place.
    /// - Returns: the member that has moved, or `nil` if none had to.
    mutating func removeMember(at place: UInt32, from slot: UInt32) -> UInt32? {
        let last = slots[Int(slot)].members.removeLast()
        guard Int(place) < slots[Int(slot)].members.count else { return nil }
        slots[Int(slot)].members[Int(place)] = last
        return last
    }
}
