import ConclaveClient
public import ConclaveCore

/// One member of a group, as its node tells.
public struct GroupMember: Hashable, Sendable {
    /// The name of its node: unique in the group.
    public let name: String
    /// What it says of itself: its node's data.
    public let payload: [UInt8]
    /// Since when it has been a member: milliseconds since 1970, by the leader's clock.
    public let joinedMilliseconds: Int64
    /// When its payload was last written, be it with the same bytes: milliseconds since 1970, by the leader's clock.
    public let writtenMilliseconds: Int64
    /// The transaction that made its node: another one whenever the member has joined anew.
    public let incarnation: Zxid
    /// How often its node has been written since: grows with each update and each heartbeat.
    public let version: Int32
    /// The session that its node belongs to; `.none` if the node belongs to no session.
    public let session: SessionID

    init(name: String, node: NodeData) {
        self.name = name
        payload = node.bytes
        joinedMilliseconds = node.stat.ctime
        writtenMilliseconds = node.stat.mtime
        incarnation = node.stat.czxid
        version = node.stat.version
        session = node.stat.ephemeralOwner
    }

    /// Who it is, for people: the name, or what kazoo's `Party` keeps in the data of a node with a random name.
    public var identity: String {
        name.hasSuffix(Group.partyMark) ? String(decoding: payload, as: UTF8.self) : name
    }

    /// The payload as text.
    public var text: String { String(decoding: payload, as: UTF8.self) }
}

/// Who is in a group, and what is different from the time before.
public struct GroupChange: Hashable, Sendable {
    /// Everybody who is a member now, sorted by name.
    public let members: [GroupMember]
    /// Those who were not there before; at the first look everybody.
    public let joined: [GroupMember]
    /// Those who were there before, as they were last seen. Who has left and joined anew is in both lists.
    public let left: [GroupMember]
    /// Those whose payload is another one, as they are now.
    public let changed: [GroupMember]

    package init(members: [GroupMember], joined: [GroupMember], left: [GroupMember], changed: [GroupMember]) {
        self.members = members
        self.joined = joined
        self.left = left
        self.changed = changed
    }

    /// Compares two looks, both sorted by name.
    package init(from before: [GroupMember], to now: [GroupMember]) {
        var joined: [GroupMember] = []
        var left: [GroupMember] = []
        var changed: [GroupMember] = []
        var place = 0
        for member in now {
            while place < before.count, before[place].name < member.name {
                left.append(before[place])
                place += 1
            }
            guard place < before.count, before[place].name == member.name else {
                joined.append(member)
                continue
            }
            let earlier = before[place]
            place += 1
            if earlier.incarnation != member.incarnation {
                left.append(earlier)
                joined.append(member)
            } else if earlier.payload != member.payload {
                changed.append(member)
            }
        }
        left += before[place...]
        self.init(members: now, joined: joined, left: left, changed: changed)
    }

    /// Whether nobody has joined, left or changed.
    public var isEmpty: Bool { joined.isEmpty && left.isEmpty && changed.isEmpty }
}
