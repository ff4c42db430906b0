#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Processor time of this process in seconds.
func processorSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

/// Resident memory in bytes; 0 where the system does not tell.
func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let fields = text.split(separator: " ")
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * Int(getpagesize()) : 0
}

/// Runs the body a few times and prints the best processor time per operation.
func measure(_ name: String, operations: Int, rounds: Int = 5, _ body: () -> Void) {
    var best = Double.infinity
    for _ in 0..<rounds {
        let start = processorSeconds()
        body()
        best = min(best, processorSeconds() - start)
    }
    report(name, seconds: best, operations: operations)
}

func report(_ name: String, seconds: Double, operations: Int) {
    let nanoseconds = seconds * 1e9 / Double(operations)
    let rate = Double(operations) / seconds / 1e6
    print("\(name): \(rounded(nanoseconds)) ns each, \(rounded(rate)) M/s, \(rounded(seconds * 1000)) ms in all")
}

func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
