import BenchmarkKit

/// What the command line asks for.
struct BenchArguments: Sendable {
    var isQuick = false
    var hosts: String?
    var servers = 3
    var observers = 0
    var withApache = false
    var comparedWith: String?
    var repetitions: Int?
    var seconds: Double?
    /// Requests a second of the cases with fixed arrival rates, instead of the usual ones.
    var rates: [Int] = []
    var output = "benchmark-results"
    var names: [String] = []
    var wantsHelp = false
    var wantsList = false

    init(_ words: [String]) throws(LoadError) {
        var rest = words[...]
        func value(_ name: String) throws(LoadError) -> String {
            guard let value = rest.popFirst() else { throw LoadError("\(name) needs a value") }
            return value
        }
        func number(_ name: String, _ range: ClosedRange<Int>) throws(LoadError) -> Int {
            let text = try value(name)
            guard let number = Int(text), range.contains(number) else {
                throw LoadError("\(name) \(text): expected a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        while let word = rest.popFirst() {
            switch word {
            case "--help", "-h", "help": wantsHelp = true
            case "--list": wantsList = true
            case "--quick": isQuick = true
            case "--connect": hosts = try value(word)
            case "--servers": servers = try number(word, 1...9)
            case "--observers": observers = try number(word, 0...9)
            case "--apache": withApache = true
            case "--compare": comparedWith = try value(word)
            case "--repetitions": repetitions = try number(word, 1...100)
            case "--seconds": seconds = Double(try number(word, 1...600))
            case "--rate": rates = try Self.rates(try value(word))
            case "--output": output = try value(word)
            default:
                guard !word.hasPrefix("-") else { throw LoadError("\(word) is not known") }
                names.append(word)
            }
        }
        if hosts != nil, withApache { throw LoadError("--connect and --apache exclude each other") }
    }

    private static func rates(_ text: String) throws(LoadError) -> [Int] {
        var rates: [Int] = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let rate = Int(word), (1...1_000_000).contains(rate) else {
                throw LoadError("--rate \(text): expected numbers from 1 to 1000000, separated by commas")
            }
            if !rates.contains(rate) { rates.append(rate) }
        }
        return rates.sorted()
    }

    /// The time of each run that counts.
    var measuredSeconds: Double { seconds ?? (isQuick ? 0.4 : 1.5) }
    var warmUpSeconds: Double { isQuick ? 0.2 : 0.5 }
    var rounds: Int { repetitions ?? (isQuick ? 1 : 3) }
    var readRates: [Int] { rates.isEmpty ? [5_000, 20_000, 80_000, 160_000] : rates }
    var writeRates: [Int] { rates.isEmpty ? [1_000, 5_000, 10_000, 20_000, 40_000] : rates }

    static let help = """
        Usage: conclave-bench [--quick] [--apache] [options] [NAME …]

        Starts an ensemble of three servers on this machine, puts it under load, and writes results.json and
        report.html. NAMEs choose cases, by their beginnings; without any the whole suite runs, about ten minutes.

          --quick            a short look at everything, within a minute
          --servers N        so many servers instead of three
          --observers N      and so many observers
          --apache           Debian's Apache ZooKeeper beside it, turn by turn, with ratios
          --connect HOSTS    an ensemble that runs already, Conclave's or another; nothing is killed there
          --compare FILE     says what has changed since an earlier results.json, and what is within the noise
          --repetitions N    how often each case runs (3; 1 with --quick)
          --seconds S        the time of each run that counts (1.5)
          --rate N,N…        requests a second of the cases get-rate-N and set-rate-N, which do not wait for answers
          --list             names the cases and measures nothing
          --output FOLDER    where the results go (./benchmark-results)

        Ends with status 1 if an operation failed, 2 if the command line was not understood or nobody answers.
        """
}
