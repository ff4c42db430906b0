import ConclaveCore

/// The password that a server hands out with a session.
///
/// Every server of an ensemble must derive the same one, so the function is fixed by the reference: 16 bytes of Java's linear
/// congruential generator seeded with the id. It is no secret: whoever knows the id can compute it.
package enum SessionPassword {
    package static let byteCount = 16

    package static func make(for session: SessionID) -> [UInt8] {
        let multiplier: UInt64 = 0x5_DEEC_E66D
        let mask: UInt64 = (1 << 48) - 1
        var state = (UInt64(bitPattern: session.rawValue) ^ 0xB341_5C00 ^ multiplier) & mask
        var bytes: [UInt8] = []
        for _ in 0..<4 {
            state = (state &* multiplier &+ 0xB) & mask
            var word = UInt32(truncatingIfNeeded: state >> 16)
            for _ in 0..<4 {
                bytes.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return bytes
    }

    /// Compares without telling by its duration how much was right.
    package static func matches(_ password: [UInt8], session: SessionID) -> Bool {
        let expected = make(for: session)
        guard password.count == expected.count else { return false }
        var difference: UInt8 = 0
        for index in 0..<expected.count { difference |= password[index] ^ expected[index] }
        return difference == 0
    }
}

/// Gives out session ids: server id, milliseconds at start, counter.
///
/// ```
/// 63..56 server id | 55..16 low 40 bits of a millisecond clock at start | 15..0 counter, carrying upward
/// ```
/// The base is the time of day, not a clock that starts anew with the machine, so ids are not given out twice after a restart
/// (ZOOKEEPER-1366); ids that exist are skipped.
struct SessionIDGenerator: Sendable {
    private var next: Int64

    init(serverID: UInt8, startMilliseconds: Int64) {
        let time = (UInt64(bitPattern: startMilliseconds) << 24) >> 8
        next = Int64(bitPattern: time | UInt64(serverID) << 56)
        if next == NodeOwner.containerValue { next &+= 1 }
    }

    mutating func make(isTaken: (SessionID) -> Bool) -> SessionID {
        while true {
            let candidate = SessionID(rawValue: next)
            next &+= 1
            if candidate != .none, candidate.rawValue != NodeOwner.containerValue, !isTaken(candidate) {
                return candidate
            }
        }
    }
}
