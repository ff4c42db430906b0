import ClusterSimulation
import ConclaveSimulator
import Foundation

/// `simulate`: whole clusters in simulated time, one for each seed.
@main
struct Simulate {
    static func main() async {
        let arguments: Arguments
        do {
            arguments = try Arguments(CommandLine.arguments.dropFirst())
        } catch {
            FileHandle.standardError.write(Data("simulate: \(error.message)\n\n\(Arguments.help)\n".utf8))
            exit(2)
        }
        if arguments.wantsHelp {
            print(Arguments.help)
        } else if let seed = arguments.replay {
            exit(replay(seed, arguments) ? 0 : 1)
        } else {
            exit(await sweep(arguments) ? 0 : 1)
        }
    }

    /// Runs one seed and prints what happened.
    private static func replay(_ seed: UInt64, _ arguments: Arguments) -> Bool {
        var isKept = true
        for profile in arguments.profiles {
            let report = arguments.sweep(profile).run(seed: seed, keepsTrace: true, traceLimit: arguments.lines)
            for line in report.trace?.lines.suffix(arguments.lines) ?? [] { print(line) }
            print("seed \(seed), profile \(profile.name), trace \(report.digest)")
            print(report.violation.map { "\($0)" } ?? "no promise was broken")
            isKept = isKept && report.violation == nil
        }
        return isKept
    }

    /// Runs many seeds, several at a time; each profile in turn.
    private static func sweep(_ arguments: Arguments) async -> Bool {
        var isKept = true
        for profile in arguments.profiles {
            let start = ContinuousClock.now
            let report = await sweep(arguments, profile)
            print("\(profile.name): \(report), \(start.duration(to: .now).formatted())")
            print("  faults that never happened: \(report.faults.missing.map { "\($0)" }.joined(separator: " "))")
            for failure in report.failures {
                isKept = false
                print("  \(failure.violation.map { "\($0)" } ?? "")")
                print("    again: \(arguments.replayCommand(failure.options.seed, profile))")
            }
            if !isKept, arguments.planted != nil { break }
        }
        return isKept
    }

    private static func sweep(_ arguments: Arguments, _ profile: FaultProfile) async -> SweepReport {
        let sweep = arguments.sweep(profile)
        let end = arguments.first + arguments.seeds
        var total = SweepReport()
        await withTaskGroup(of: RunReport.self) { group in
            var next = arguments.first
            while next < end, next < arguments.first + UInt64(arguments.jobs) {
                let seed = next
                group.addTask { sweep.run(seed: seed) }
                next += 1
            }
            while let report = await group.next() {
                total.add(report)
                if total.runs % 250 == 0 {
                    let text =
                        "\(profile.name): \(total.runs) of \(arguments.seeds), \(total.failures.count) failures\n"
                    FileHandle.standardError.write(Data(text.utf8))
                }
                // A planted bug is found once.
                if next < end, arguments.planted == nil || total.failures.isEmpty {
                    let seed = next
                    group.addTask { sweep.run(seed: seed) }
                    next += 1
                }
            }
        }
        return total
    }
}
