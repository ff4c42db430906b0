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
        let hosts = arguments.hosts
        try Signals.handle([.interrupt, .terminate, .hangUp]) { signal in
            Progress.end()
            FileHandle.standardError.write(Data("conclave-bench: interrupted, no results were written\n".utf8))
            Self.tidyUp(folder, nil)
            if let hosts { Remote.clearAndEnd(hosts, status: 128 + signal.rawValue) }
            _exit(128 + signal.rawValue)
        }
        defer { Self.tidyUp(folder, hosts) }
        Progress.show("the machine itself")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var machine = try MachineFacts.measured(in: folder)
        let groups = try makeGroups(folder)
        defer { for group in groups { group.stop() } }
        for group in groups {
            Progress.show("starting \(group.kind)")
            try group.start()
        }
        for group in groups where group.kind == .apache { await warmUp(group, folder) }
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
                guard round < one.roundsAtMost else { continue }
                for (place, group) in groups.enumerated() {
                    let target = Target(group: group, arguments: arguments, repetition: round, folder: folder)
                    await measure(one, target, into: &figures[index * groups.count + place])
                }
            }
        }
        // Measured twice, for something else may have had the disk at the begin.
        machine.improve(by: try MachineFacts.measured(in: folder))
        Progress.end()
        return Results(
            date: Date().formatted(.iso8601), commit: MachineFacts.commit, swift: MachineFacts.swiftVersion,
            machine: machine,
            settings: .init(
                servers: arguments.servers, observers: arguments.observers, hosts: arguments.hosts,
                seconds: arguments.measuredSeconds, repetitions: arguments.rounds),
            figures: figures)
    }

    /// Servers end with this process in any case; what they write, and what was made in somebody's ensemble, would stay.
    private static func tidyUp(_ folder: String, _ hosts: String?) {
        ServerGroup.killAll()
        if let hosts { Remote.clear(hosts) }
        // A server that was just killed may still finish a write.
        for _ in 0..<50 where FileManager.default.fileExists(atPath: folder) {
            // Tried again below; after half a second the operating system's cleaner of temporary files has it.
            try? FileManager.default.removeItem(atPath: folder)
            usleep(10_000)
        }
    }

    /// Java compiles what runs often: every load runs once at Apache's servers before anything counts.
    private func warmUp(_ group: ServerGroup, _ folder: String) async {
        let loads = cases.filter { !$0.needsOwnServers && $0.section != .recipes }
        for (index, one) in loads.enumerated() {
            Progress.show("warming Java up: \(one.name)", share: Double(index) / Double(loads.count))
            // What fails here fails again where it counts.
            _ = try? await one.run(Target(group: group, arguments: arguments, repetition: 0, folder: folder))
        }
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
            let sample = try await limited { try await one.run(target) }
            figure.values += sample.values
            if let problem = sample.problem { figure.problems.append(problem) }
            for (name, value) in sample.details { figure.details[name, default: []].append(value) }
            if let timeline = sample.timeline { figure.timeline = timeline }
        } catch {
            figure.problems.append("\(error)")
        }
    }
}

/// A case that hangs must not hide the others' figures: it is cancelled after this long.
private let limitSeconds = 240

private func limited<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
    try await withThrowingTaskGroup(of: R?.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: .seconds(limitSeconds))
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else {
            throw LoadError("no result within \(limitSeconds) s")
        }
        return result
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
