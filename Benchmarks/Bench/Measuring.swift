import BenchmarkKit
import ConclaveSystem
import Foundation

/// Runs the cases at every group of servers, turn by turn, so that what disturbs the machine disturbs all alike.
struct Measuring {
    private let arguments: BenchArguments
    private let cases: [BenchCase]

    init(_ arguments: BenchArguments, _ cases: [BenchCase]) {
        self.arguments = arguments
        self.cases = cases
    }

    func run() async throws -> Results {
        let folder = FileManager.default.temporaryDirectory.appending(path: "conclave-bench-\(getpid())").path()
        // The servers end with this process; what they have written would stay.
        try? Signals.handle([.interrupt, .terminate, .hangUp]) { signal in
            Progress.end()
            try? FileManager.default.removeItem(atPath: folder)
            _exit(128 + signal.rawValue)
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        Progress.show("the machine itself")
        let machine = try MachineFacts.measured()
        let groups = try makeGroups(folder)
        defer { for group in groups { group.stop() } }
        for group in groups {
            Progress.show("starting \(group.kind)")
            try group.start()
        }
        var figures = cases.flatMap { one in
            groups.map { group in
                Figure(
                    name: one.name, section: one.section.rawValue, text: one.text, subject: group.kind.rawValue,
                    unit: one.unit, moreIsBetter: one.moreIsBetter)
            }
        }
        let steps = cases.count * arguments.rounds
        for round in 0..<arguments.rounds {
            for (index, one) in cases.enumerated() {
                Progress.show(
                    "\(round * cases.count + index + 1) of \(steps): \(one.name)",
                    share: Double(round * cases.count + index) / Double(steps))
                for (place, group) in groups.enumerated() {
                    let target = Target(group: group, arguments: arguments, repetition: round)
                    await measure(one, target, into: &figures[index * groups.count + place])
                }
            }
        }
        Progress.end()
        return Results(
            date: Date().formatted(.iso8601), commit: MachineFacts.commit, swift: MachineFacts.swiftVersion,
            machine: machine,
            settings: .init(
                servers: arguments.servers, observers: arguments.observers, hosts: arguments.hosts,
                seconds: arguments.measuredSeconds, repetitions: arguments.rounds),
            figures: figures)
    }

    private func makeGroups(_ folder: String) throws -> [ServerGroup] {
        if let hosts = arguments.hosts { return [ServerGroup(hosts: hosts)] }
        let kinds: [ServerGroup.Kind] = arguments.withApache ? [.conclave, .apache] : [.conclave]
        return try kinds.map { kind in
            try ServerGroup(
                kind, servers: arguments.servers, observers: arguments.observers, folder: "\(folder)/\(kind)")
        }
    }

    private func measure(_ one: BenchCase, _ target: Target, into figure: inout Figure) async {
        do {
            let sample = try await one.run(target)
            figure.values.append(sample.value)
            for (name, value) in sample.details { figure.details[name, default: []].append(value) }
            if let timeline = sample.timeline { figure.timeline = timeline }
        } catch {
            figure.problems.append("\(error)")
        }
    }
}

/// One line on the terminal that says what is going on; nothing where nobody watches.
enum Progress {
    private static let isWatched = isatty(STDERR_FILENO) == 1

    static func show(_ text: String, share: Double = 0) {
        guard isWatched else { return }
        let done = Int(share * 24)
        let bar = String(repeating: "█", count: done) + String(repeating: "░", count: 24 - done)
        FileHandle.standardError.write(Data("\r\u{1B}[K\(bar) \(text)".utf8))
    }

    static func end() {
        if isWatched { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
