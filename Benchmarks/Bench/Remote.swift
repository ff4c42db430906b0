import BenchmarkKit
import ConclaveSystem
import Foundation

/// An ensemble that somebody else runs.
enum Remote {
    /// The first server that is named in a connect string.
    static func address(of hosts: String) throws(LoadError) -> SocketAddress {
        let list = hosts.prefix { $0 != "/" }
        guard let first = list.split(separator: ",").first else { throw LoadError("--connect needs HOST:PORT") }
        if let address = SocketAddress(String(first)) { return address }
        guard let colon = first.lastIndex(of: ":"), let port = UInt16(first[first.index(after: colon)...]), port > 0,
            colon > first.startIndex
        else { throw LoadError("--connect \(hosts): \(first) is not HOST:PORT") }
        let addresses: [SocketAddress]
        do throws(Resolver.Failure) {
            addresses = try Resolver.resolve(host: String(first[..<colon]), port: port)
        } catch {
            throw LoadError("--connect \(hosts): \(error)")
        }
        guard let address = addresses.first else { throw LoadError("--connect \(hosts): \(first) has no address") }
        return address
    }

    /// Whether somebody opens a session there; says who does not otherwise.
    static func probe(_ hosts: String) throws(LoadError) {
        let address = try address(of: hosts)
        do {
            try Probe.openSession(at: address)
        } catch {
            throw LoadError("no server answers at \(address): \(error)")
        }
    }

    /// The word with which this program clears up and does nothing else.
    static let clearWord = "--clear-up"

    /// Becomes a program that only clears up: the load would go on making nodes meanwhile.
    static func clearAndEnd(_ hosts: String, status: Int32) {
        guard let program = ProcessEnvironment.executable else { return clear(hosts) }
        let reason = ParentProcess.become(program, [program, clearWord, hosts, "\(status)"][...])
        FileHandle.standardError.write(Data("conclave-bench: nodes are left at \(hosts): \(reason)\n".utf8))
    }

    /// What a process that has become this one does.
    static func clearAsAsked(_ words: [String]) {
        guard words.count == 3, words[0] == clearWord, let status = Int32(words[2]) else { return }
        clear(words[1])
        exit(status)
    }

    /// Removes what this process has made there, as far as that can be done in half a minute.
    static func clear(_ hosts: String) {
        do {
            let clearing = try Clearing(try address(of: hosts))
            try clearing.clearLoads()
            try clearing.clear(prefix: "conclave-bench-\(getpid())-")
        } catch {
            FileHandle.standardError.write(
                Data("conclave-bench: nodes below /conclave-load are left at \(hosts): \(error)\n".utf8))
        }
    }
}
