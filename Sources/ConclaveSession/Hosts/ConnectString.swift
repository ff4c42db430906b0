import ConclaveCore

/// One server as the user named it.
package struct HostAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or a number, IPv6 without brackets.
    package let host: String
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    package var description: String { (host.contains(":") ? "[" + host + "]" : host) + ":" + String(port) }
}

/// `host:port,host:port/chroot`, as every ZooKeeper client takes it.
///
/// Ports default to 2181; IPv6 numbers stand in brackets, or bare without a port; a chroot of `/` means none.
package struct ConnectString: Equatable, Sendable {
    package static let defaultPort: UInt16 = 2181
    /// More servers than this in one string are a mistake.
    package static let maximumHosts = 1024

    package let hosts: [HostAddress]
    package let chroot: Chroot

    package init(_ text: String) throws(ZooKeeperError) {
        let servers: Substring
        if let slash = text.firstIndex(of: "/") {
            servers = text[..<slash]
            let root = NodePath(String(text[slash...]))
            if let violation = root.violation {
                throw Self.problem("the chroot of \"\(text)\" is no path: \(violation)")
            }
            chroot = Chroot(root)
        } else {
            servers = text[...]
            chroot = .none
        }
        var hosts: [HostAddress] = []
        for part in servers.split(separator: ",", omittingEmptySubsequences: false) {
            let entry = Self.trimmed(part)
            guard let host = Self.host(entry) else { throw Self.problem("\"\(entry)\" is no host:port in \"\(text)\"") }
            if !hosts.contains(host) { hosts.append(host) }
        }
        guard hosts.count <= Self.maximumHosts else { throw Self.problem("more than \(Self.maximumHosts) servers") }
        self.hosts = hosts
    }

    private static func host(_ entry: Substring) -> HostAddress? {
        var host = entry
        var port = defaultPort
        if entry.hasPrefix("[") {
            guard let close = entry.firstIndex(of: "]") else { return nil }
            let rest = entry[entry.index(after: close)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = self.port(rest.dropFirst()) else { return nil }
                port = number
            }
            host = entry[entry.index(after: entry.startIndex)..<close]
        } else if let colon = entry.lastIndex(of: ":"), entry.firstIndex(of: ":") == colon {
            guard let number = self.port(entry[entry.index(after: colon)...]) else { return nil }
            port = number
            host = entry[..<colon]
        } else if entry.contains(":") {
            // Several colons without brackets: a bare IPv6 number, perhaps with an interface.
            let number = entry.prefix { $0 != "%" }
            guard number.allSatisfy({ $0.isHexDigit || $0 == ":" || $0 == "." }) else { return nil }
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace }) else { return nil }
        return HostAddress(host: String(host), port: port)
    }

    private static func port(_ digits: Substring) -> UInt16? {
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits), port > 0
        else {
            return nil
        }
        return port
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: { $0.isWhitespace })
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text
    }

    private static func problem(_ message: String) -> ZooKeeperError {
        ZooKeeperError(.badArguments, message: message)
    }
}
