#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// An IPv4 or IPv6 address with a port: sockaddr_in and sockaddr_in6 as a value.
///
/// An IPv4 address that arrives wrapped in IPv6 (`::ffff:a.b.c.d`, from a listener for both families) becomes plain
/// IPv4, so that the same client looks the same through every listener.
package struct SocketAddress: Hashable, Sendable {
    package enum Family: Hashable, Sendable {
        case ipv4
        case ipv6
    }

    package let family: Family
    /// The address in network order: 4 bytes in `low` for IPv4, 16 in both halves for IPv6.
    private let high: UInt64
    private let low: UInt64
    /// The interface of a link-local IPv6 address, or 0.
    package let scope: UInt32
    package let port: UInt16

    private init(family: Family, high: UInt64, low: UInt64, scope: UInt32, port: UInt16) {
        self.family = family
        self.high = high
        self.low = low
        self.scope = scope
        self.port = port
    }

    /// 127.0.0.1
    package static func loopback(port: UInt16) -> SocketAddress { ipv4(127, 0, 0, 1, port: port) }
    /// ::1
    package static func loopback6(port: UInt16) -> SocketAddress {
        SocketAddress(family: .ipv6, high: 0, low: 1, scope: 0, port: port)
    }
    /// 0.0.0.0: every IPv4 address of the machine.
    package static func any(port: UInt16) -> SocketAddress { ipv4(0, 0, 0, 0, port: port) }
    /// [::]: every address of the machine of both families, unless the listener is made for IPv6 only.
    package static func any6(port: UInt16) -> SocketAddress {
        SocketAddress(family: .ipv6, high: 0, low: 0, scope: 0, port: port)
    }

    package static func ipv4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, port: UInt16) -> SocketAddress {
        let low = UInt64(a) << 24 | UInt64(b) << 16 | UInt64(c) << 8 | UInt64(d)
        return SocketAddress(family: .ipv4, high: 0, low: low, scope: 0, port: port)
    }

    /// The same address with another port.
    package func with(port: UInt16) -> SocketAddress {
        SocketAddress(family: family, high: high, low: low, scope: scope, port: port)
    }

    /// The address in network order: 4 or 16 bytes.
    package var bytes: [UInt8] {
        switch family {
        case .ipv4: (0..<4).map { UInt8(truncatingIfNeeded: low >> (24 - 8 * UInt64($0))) }
        case .ipv6: (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - 8 * UInt64($0 & 7))) }
        }
    }

    /// Whether only this machine can reach it.
    package var isLoopback: Bool {
        switch family {
        case .ipv4: low >> 24 == 127
        case .ipv6: high == 0 && low == 1
        }
    }

    /// Whether it stands for every address of the machine.
    package var isAny: Bool { high == 0 && low == 0 }
}

extension SocketAddress {
    /// Takes a number as people write it: `127.0.0.1`, `::1` or `[::1]`, `fe80::1%eth0`. No names; see ``Resolver``.
    package init?(host: some StringProtocol, port: UInt16) {
        var host = String(host)
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.utf8.contains(0) else { return nil }
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        // inet_pton would do, but knows nothing of scopes; getaddrinfo with this flag asks nobody.
        hints.ai_family = host.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
        if hints.ai_family == AF_INET, !Self.isDottedQuad(host) { return nil }
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let list else { return nil }
        defer { freeaddrinfo(list) }
        guard let address = SocketAddress(list.pointee.ai_addr, length: list.pointee.ai_addrlen) else { return nil }
        self = address.with(port: port)
    }

    /// Takes `host:port` with a numeric host: `127.0.0.1:2181`, `[::1]:2181`.
    package init?(_ text: some StringProtocol) {
        guard let (host, port) = Self.split(text) else { return nil }
        self.init(host: host, port: port)
    }

    /// Cuts `host:port` at the colon before the port; IPv6 addresses stand in brackets. `nil` if there is no valid
    /// port.
    package static func split(_ text: some StringProtocol) -> (host: String, port: UInt16)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else { return nil }
        let host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]"), host.count > 2 else { return nil }
            return (String(host.dropFirst().dropLast()), port)
        }
        guard !host.isEmpty, !host.contains(":") else { return nil }
        return (String(host), port)
    }

    /// getaddrinfo also takes `1`, `0x7f.1` and octal numbers; none of these is meant by a person.
    private static func isDottedQuad(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } && UInt8(part) != nil
                    && (part.count == 1 || part.first != "0")
            }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:2181` or `[::1]:2181`.
    package var description: String {
        switch family {
        case .ipv4: host + ":" + String(port)
        case .ipv6: "[" + host + "]:" + String(port)
        }
    }

    /// The address without its port in the usual short form: `127.0.0.1`, `::1`, `fe80::1%2`.
    package var host: String {
        switch family {
        case .ipv4: bytes.map { String($0) }.joined(separator: ".")
        case .ipv6: Self.shortText(groups) + (scope == 0 ? "" : "%" + String(scope))
        }
    }

    /// The address without its port as Java's getHostAddress prints it: IPv6 with all eight groups (`0:0:0:0:0:0:0:1`).
    /// The field's tools and the `ip` scheme of access lists compare this text.
    package var javaHost: String {
        switch family {
        case .ipv4: host
        case .ipv6:
            groups.map { String($0, radix: 16) }.joined(separator: ":") + (scope == 0 ? "" : "%" + String(scope))
        }
    }

    /// What the field's admin words print: `127.0.0.1:2181`, `[0:0:0:0:0:0:0:1]:2181`.
    package var javaDescription: String {
        switch family {
        case .ipv4: description
        case .ipv6: "[" + javaHost + "]:" + String(port)
        }
    }

    private var groups: [UInt16] {
        (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * UInt64($0 & 3))) }
    }

    /// RFC 5952: the longest run of two or more zero groups, the first of equals, becomes `::`.
    private static func shortText(_ groups: [UInt16]) -> String {
        var best = 0..<0
        var start = 0
        while start < groups.count {
            var end = start
            while end < groups.count, groups[end] == 0 { end += 1 }
            if end - start > best.count, end - start > 1 { best = start..<end }
            start = Swift.max(end, start + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        guard !best.isEmpty else { return text(groups[...]) }
        return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
    }
}

extension SocketAddress {
    /// Reads what the system filled in; `nil` for other families (unnamed and local sockets).
    init?(_ pointer: UnsafePointer<sockaddr>?, length: socklen_t) {
        guard let pointer, Int(length) >= MemoryLayout<sockaddr_in>.size else { return nil }
        switch Int32(pointer.pointee.sa_family) {
        case AF_INET:
            let address = UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in.self)
            self.init(
                family: .ipv4, high: 0, low: UInt64(UInt32(bigEndian: address.sin_addr.s_addr)), scope: 0,
                port: UInt16(bigEndian: address.sin_port))
        case AF_INET6 where Int(length) >= MemoryLayout<sockaddr_in6>.size:
            let address = UnsafeRawPointer(pointer).loadUnaligned(as: sockaddr_in6.self)
            let (high, low) = withUnsafeBytes(of: address.sin6_addr) {
                (
                    UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            let port = UInt16(bigEndian: address.sin6_port)
            if high == 0, low >> 32 == 0xFFFF {
                self.init(family: .ipv4, high: 0, low: low & 0xFFFF_FFFF, scope: 0, port: port)
            } else {
                self.init(family: .ipv6, high: high, low: low, scope: address.sin6_scope_id, port: port)
            }
        default: return nil
        }
    }

    /// Gives the system's form of the address to a call.
    func withSystemAddress<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        switch family {
        case .ipv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: low).bigEndian
            #if canImport(Darwin)
            address.sin_len = UInt8(MemoryLayout<sockaddr_in>.size)
            #endif
            return withUnsafeBytes(of: &address) {
                // A non-empty structure has an address, and sockaddr is what the system calls it by.
                body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
        case .ipv6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_scope_id = scope
            withUnsafeMutableBytes(of: &address.sin6_addr) {
                $0.storeBytes(of: high.bigEndian, as: UInt64.self)
                $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            #if canImport(Darwin)
            address.sin6_len = UInt8(MemoryLayout<sockaddr_in6>.size)
            #endif
            return withUnsafeBytes(of: &address) {
                body($0.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count))
            }
        }
    }

    /// Calls a function that fills in an address, such as getsockname(2).
    static func filled(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: SocketAddress?) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &storage) { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            let result = call(pointer, &length)
            return (result, result < 0 ? nil : SocketAddress(pointer, length: length))
        }
    }
}
