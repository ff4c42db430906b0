import BenchmarkKit
import Testing

@testable import conclave_bench

@Suite("The command line of the suite")
struct ArgumentsTests {
    @Test(
        "What is not understood is refused with a sentence",
        arguments: [
            (["--fast"], "--fast is not known"),
            (["--servers"], "--servers needs a value"),
            (["--servers", "0"], "--servers 0: expected a number from 1 to 9"),
            (["--rate", "10,x"], "--rate 10,x: expected numbers from 1 to 1000000, separated by commas"),
            (["--rate", ""], "--rate : expected numbers from 1 to 1000000, separated by commas"),
            (["--connect", "a:1", "--apache"], "--connect and --apache exclude each other"),
        ])
    func refused(words: [String], reason: String) {
        let error = #expect(throws: LoadError.self) { try BenchArguments(words) }
        #expect(error?.description == reason)
    }

    @Test("Rates replace the usual ones, sorted and once each")
    func rates() throws {
        let arguments = try BenchArguments(["--rate", "500,20,500", "--quick"])
        #expect(arguments.readRates == [20, 500])
        let names = BenchCase.all(arguments).map(\.name).filter { $0.contains("-rate-") }
        #expect(names == ["get-rate-20", "get-rate-500", "set-rate-20", "set-rate-500"])
    }

    @Test("Names of cases are unique, and a somebody else's ensemble is never killed")
    func cases() throws {
        for words in [[], ["--quick"]] {
            let names = BenchCase.all(try BenchArguments(words)).map(\.name)
            #expect(Set(names).count == names.count)
            #expect(names.count > 15)
        }
        let remote = BenchCase.all(try BenchArguments(["--connect", "localhost:2181"]))
        #expect(!remote.isEmpty)
        #expect(remote.allSatisfy { !$0.needsOwnServers })
    }

    @Test(
        "Addresses of an ensemble may be names or numbers, with a folder behind them",
        arguments: [
            ("127.0.0.1:2181,127.0.0.1:2182/app", true), ("localhost:2181", true), ("nowhere", false), ("", false),
        ])
    func address(hosts: String, isSound: Bool) {
        #expect(((try? Remote.address(of: hosts)) != nil) == isSound)
    }
}
