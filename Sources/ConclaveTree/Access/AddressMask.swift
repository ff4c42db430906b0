/// An id of the `ip` scheme: an IPv4 address, with `/` and the number of leading bits that count.
///
/// IPv6 is not valid, as in 3.8.
struct AddressMask: Equatable, Sendable {
    private let address: UInt32
    private let mask: UInt32

    /// `nil` for text that is no such id.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Self.parse(first) else { return nil }
        var bits = 32
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...32).contains(number) else { return nil }
            bits = number
        }
        mask = bits == 0 ? 0 : UInt32.max << UInt32(32 - bits)
        self.address = address & mask
    }

    /// Whether the address of a client is among those meant.
    func matches(_ client: String) -> Bool {
        guard let other = Self.parse(client[...]) else { return false }
        return other & mask == address
    }

    private static func parse(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt32 = 0
        for part in parts {
            guard let number = Int(part), (0...255).contains(number) else { return nil }
            address = address << 8 | UInt32(number)
        }
        return address
    }
}
