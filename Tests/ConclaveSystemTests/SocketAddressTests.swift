import ConclaveSystem
import Testing

@Suite struct SocketAddressTests {
    @Test(
        "Numeric addresses are read and printed as people write them",
        arguments: [
            ("127.0.0.1:2181", "127.0.0.1:2181"), ("0.0.0.0:0", "0.0.0.0:0"),
            ("255.255.255.255:65535", "255.255.255.255:65535"),
            ("[::1]:2181", "[::1]:2181"), ("[2001:db8::1]:2888", "[2001:db8::1]:2888"),
            ("[1:0:0:2:0:0:0:3]:1", "[1:0:0:2::3]:1"), ("[1:0:2:3:4:5:6:7]:1", "[1:0:2:3:4:5:6:7]:1"),
            ("[::]:7", "[::]:7"),
            ("[::ffff:10.0.0.1]:9", "10.0.0.1:9"),
        ])
    func roundTrip(text: String, printed: String) throws {
        let address = try #require(SocketAddress(text))
        #expect(address.description == printed)
        #expect(SocketAddress(address.description) == address)
    }

    @Test(
        "What is no numeric address with a port is refused",
        arguments: [
            "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1: 1", "127.1:1",
            "0x7f.0.0.1:1",
            "1.2.3.4.5:1", "1.2.3.256:1", "01.2.3.4:1", "localhost:1", "::1:1", "[::1]", "[]:1", "[::g]:1",
            "[127.0.0.1:1",
            "1.2.3.4\u{0}:1", "1.2.3.+4:1",
        ])
    func refused(text: String) { #expect(SocketAddress(text) == nil) }

    @Test("Hosts are read with and without brackets")
    func hosts() {
        #expect(SocketAddress(host: "::1", port: 5) == .loopback6(port: 5))
        #expect(SocketAddress(host: "[::1]", port: 5) == .loopback6(port: 5))
        #expect(SocketAddress(host: "127.0.0.1", port: 5) == .loopback(port: 5))
        #expect(SocketAddress(host: "example.org", port: 5) == nil)
    }

    @Test("Names with a port are cut at the last colon")
    func split() throws {
        let named = try #require(SocketAddress.split("zoo-1.example.org:2181"))
        #expect(named.host == "zoo-1.example.org" && named.port == 2181)
        let bracketed = try #require(SocketAddress.split("[fe80::1%2]:1"))
        #expect(bracketed.host == "fe80::1%2" && bracketed.port == 1)
        #expect(SocketAddress.split("a:b:1") == nil)
        #expect(SocketAddress.split("a:١") == nil)
    }

    @Test("Java's form has all eight groups")
    func javaForm() {
        #expect(SocketAddress.loopback6(port: 2181).javaHost == "0:0:0:0:0:0:0:1")
        #expect(SocketAddress.loopback6(port: 2181).javaDescription == "[0:0:0:0:0:0:0:1]:2181")
        #expect(SocketAddress.loopback(port: 2181).javaDescription == "127.0.0.1:2181")
    }

    @Test("Bytes are in network order")
    func bytes() throws {
        #expect(SocketAddress.ipv4(10, 1, 2, 3, port: 1).bytes == [10, 1, 2, 3])
        let address = try #require(SocketAddress("[102:304::f0e]:1"))
        #expect(address.bytes == [1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0F, 0x0E])
    }

    @Test("Loopback and any are known as such")
    func kinds() {
        #expect(SocketAddress.loopback(port: 1).isLoopback && SocketAddress.loopback6(port: 1).isLoopback)
        #expect(SocketAddress.ipv4(127, 9, 9, 9, port: 1).isLoopback)
        #expect(
            !SocketAddress.any(port: 1).isLoopback && SocketAddress.any(port: 1).isAny
                && SocketAddress.any6(port: 1).isAny)
    }

    @Test("The resolver takes numbers as they are and knows this machine")
    func resolver() throws {
        #expect(try Resolver.resolve(host: "10.0.0.1", port: 7) == [.ipv4(10, 0, 0, 1, port: 7)])
        let local = try Resolver.resolve(host: "localhost", port: 2181)
        #expect(local.contains { $0.isLoopback && $0.port == 2181 })
        #expect(Set(local).count == local.count)
        #expect(throws: Resolver.Failure.self) { try Resolver.resolve(host: "", port: 1) }
        #expect(throws: Resolver.Failure.self) { try Resolver.resolve(host: "a\u{0}b", port: 1) }
    }

    @Test("The resolver answers aside")
    func resolverAside() async {
        let result = await withCheckedContinuation { waiter in
            Resolver.resolveAside(host: "localhost", port: 1) { waiter.resume(returning: $0) }
        }
        #expect((try? result.get().isEmpty) == false)
    }
}
