/// Where a server listens for votes.
package struct ElectionAddress: Hashable, Sendable {
    /// A name or an address literal, without brackets.
    package var host: String
    /// 0 stands for unknown.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Whether this says nothing about where to connect.
    package var isWildcard: Bool {
        port == 0 || host == "0.0.0.0" || host.utf8.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ":") }
    }

    /// Reads `host:port`, an IPv6 host in brackets; `nil` for anything else.
    init?(_ text: Substring) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
        guard !host.isEmpty, !host.contains("["), !host.contains("]") else { return nil }
        self.init(host: String(host), port: port)
    }
}

extension ElectionAddress: CustomStringConvertible {
    /// `host:port`, an IPv6 host in brackets, as it travels.
    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
