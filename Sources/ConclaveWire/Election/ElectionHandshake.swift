import ConclaveCore

/// The first bytes on a connection between election ports; the side that connected sends them, nothing answers them.
///
/// ```
/// long -65536 (one address) or -65535 (several) | long server | int length 1…2048 | host:port[|host:port…]
/// long server                                                          the old form: a server id that is not negative
/// ```
package struct ElectionHandshake: Equatable, Sendable {
    package var server: ServerID
    /// Where the sender listens for votes; none in the old form.
    package var addresses: [ElectionAddress]

    package init(server: ServerID, addresses: [ElectionAddress]) {
        self.server = server
        self.addresses = addresses
    }

    /// What observers without an id of their own call themselves.
    package static let anonymous = ServerID(rawValue: .max)
    /// The longest text of addresses.
    package static let maximumAddressBytes = 2_048
    /// The longest handshake.
    package static let maximumBytes = 20 + maximumAddressBytes

    private static let oneAddress: Int64 = -65_536
    private static let severalAddresses: Int64 = -65_535

    /// Writes the form for one address, or for several if there are more; addresses beyond the longest text are left
    /// out.
    package func encode(into writer: inout ByteWriter) {
        var text = ""
        for address in addresses {
            let longer = text.isEmpty ? address.description : text + "|" + address.description
            if longer.utf8.count <= Self.maximumAddressBytes { text = longer }
        }
        writer.writeInt64(addresses.count > 1 ? Self.severalAddresses : Self.oneAddress)
        writer.writeInt64(server.rawValue)
        writer.writeString(text)
    }

    /// Reads a handshake from the start of what was received so far.
    ///
    /// - Returns: the handshake and how many bytes it took; `nil` if more bytes are needed. At most ``maximumBytes``
    /// are
    ///   ever needed.
    package static func decode(_ bytes: [UInt8]) throws(DecodingError) -> (handshake: ElectionHandshake, count: Int)? {
        var reader = ByteReader(bytes)
        guard reader.remaining >= 8 else { return nil }
        let first = try reader.readInt64()
        if first >= 0 { return (ElectionHandshake(server: ServerID(rawValue: first), addresses: []), 8) }
        guard first == oneAddress || first == severalAddresses else {
            throw .invalid("protocol version \(first) of an election connection")
        }
        guard reader.remaining >= 12 else { return nil }
        let server = ServerID(rawValue: try reader.readInt64())
        let length = try reader.readInt32()
        guard length > 0, length <= maximumAddressBytes else { throw .badLength(length) }
        guard reader.remaining >= Int(length) else { return nil }
        let end = reader.offset + Int(length)
        guard let text = String(validating: bytes[reader.offset..<end], as: UTF8.self) else { throw .notUTF8 }
        var addresses: [ElectionAddress] = []
        for part in text.split(separator: "|", omittingEmptySubsequences: false) {
            guard let address = ElectionAddress(part) else { throw .invalid("the address of an election connection") }
            addresses.append(address)
        }
        return (ElectionHandshake(server: server, addresses: addresses), end)
    }
}
