#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Turns names into addresses: getaddrinfo(3).
package enum Resolver {
    /// Why a name has no address, in the system's words.
    package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        package let host: String
        package let message: String
        package var description: String { host + ": " + message }
    }

    /// All stream addresses of a host in the system's order of preference, without repetitions. Numbers are taken as
    /// they are.
    ///
    /// Blocks, possibly for many seconds: never call it on an event loop or in a task.
    package static func resolve(host: String, port: UInt16) throws(Failure) -> [SocketAddress] {
        if let number = SocketAddress(host: host, port: port) { return [number] }
        guard !host.isEmpty, !host.utf8.contains(0) else { throw Failure(host: host, message: "not a host name") }
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, nil, &hints, &list)
        guard result == 0 else {
            let message = result == EAI_SYSTEM ? Errno.current.description : String(cString: gai_strerror(result))
            throw Failure(host: host, message: message)
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next {
            if let address = SocketAddress(entry.pointee.ai_addr, length: entry.pointee.ai_addrlen)?.with(port: port),
                !addresses.contains(address)
            {
                addresses.append(address)
            }
            next = entry.pointee.ai_next
        }
        guard !addresses.isEmpty else { throw Failure(host: host, message: "no address") }
        return addresses
    }

    /// ``resolve(host:port:)`` on a thread of its own; `completion` is called there, once. Numbers and failures to
    /// start the thread are answered before this returns.
    package static func resolveAside(
        host: String, port: UInt16, completion: @escaping @Sendable (Result<[SocketAddress], Failure>) -> Void
    ) {
        if let number = SocketAddress(host: host, port: port) { return completion(.success([number])) }
        do throws(SystemError) {
            _ = try ThreadHandle(name: "resolver") {
                completion(Result { () throws(Failure) in try resolve(host: host, port: port) })
            }
        } catch {
            completion(.failure(Failure(host: host, message: error.description)))
        }
    }
}
