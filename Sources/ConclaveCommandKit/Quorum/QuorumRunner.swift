import ConclaveCore
import ConclaveSystem

/// Performs what a ``QuorumMachine`` asks for: processes, timers, lines on the terminal.
struct QuorumRunner: Sendable {
    private enum Event: Sendable {
        case wrote(Int, String)
        case ended(Int, ExitStatus, lastLines: [String])
        case delayPassed(Int)
        case graceOver(Int)
        case interrupted
        /// The line about the start is to be written anew.
        case tick
    }

    private static let tickInterval = Duration.milliseconds(200)

    private let plan: QuorumPlan
    private let context: ToolContext
    /// Whether what servers write is shown.
    private let isVerbose: Bool
    private var machine: QuorumMachine
    private var processes: [Int: ServerProcess] = [:]
    private let events: AsyncStream<Event>
    private let post: AsyncStream<Event>.Continuation
    private let start = ContinuousClock.now
    private var isLineShown = false

    init(_ plan: QuorumPlan, _ context: ToolContext, restarts: Bool, isVerbose: Bool) {
        self.plan = plan
        self.context = context
        self.isVerbose = isVerbose
        machine = QuorumMachine(plan, restarts: restarts)
        (events, post) = AsyncStream.makeStream(of: Event.self)
    }

    /// Runs the servers until the user wants them to end, or something fails. Returns when all processes have ended.
    func run() async throws {
        try Task.checkCancellation()
        // In a task of its own, which nobody cancels: the processes are ended in order, whatever happens.
        let work = Task { [self] in
            var runner = self
            return await runner.attend()
        }
        let post = post
        let failure = await context.interrupts.handled(by: { _ in post.yield(.interrupted) }) {
            await withTaskCancellationHandler {
                await work.value
            } onCancel: {
                post.yield(.interrupted)
            }
        }
        if let failure { throw ToolFailure(failure) }
    }

    // MARK: Events

    /// - Returns: why it has failed, if it has.
    private mutating func attend() async -> String? {
        let ticker = context.console.errorsAreTerminal ? tick() : nil
        defer { ticker?.cancel() }
        var iterator = events.makeAsyncIterator()
        while true {
            for action in machine.takeActions() {
                erase()
                if case .finish(let failure) = action { return failure }
                perform(action)
            }
            // Starting may fail, which asks for more.
            guard !machine.hasActions else { continue }
            showProgress()
            // The stream has no end.
            guard let event = await iterator.next() else { return nil }
            take(event)
        }
    }

    private mutating func take(_ event: Event) {
        let now = SystemClock.now()
        switch event {
        case .wrote(let id, let line):
            if isVerbose {
                erase()
                context.console.errorLine(context.console.errorStyle.dim("[\(id)] ") + line)
            }
            machine.wrote(id, line)
        case .ended(let id, let status, let lastLines):
            processes[id] = nil
            // They have been shown already.
            machine.ended(id, status, lastLines: isVerbose ? [] : lastLines, now: now)
        case .delayPassed(let id): machine.delayPassed(id)
        case .graceOver(let stage): machine.graceOver(stage)
        case .interrupted: machine.interrupted()
        case .tick: break
        }
    }

    // MARK: Actions

    private mutating func perform(_ action: QuorumAction) {
        switch action {
        case .start(let id): if machine.phase != .stopping { launch(id) }
        case .startLater(let id, let milliseconds): post(.delayPassed(id), after: milliseconds)
        case .signal(let id, let signal): processes[id]?.signal(signal)
        case .limitGrace(let stage, let milliseconds): post(.graceOver(stage), after: milliseconds)
        case .tell(let text): context.console.errorLine(text)
        case .warn(let text): context.console.errorLine(context.console.errorStyle.yellow(text))
        case .announce: context.console.line("serving clients on \(plan.connectString)")
        case .finish: break
        }
    }

    private mutating func launch(_ id: Int) {
        guard let member = plan.members.first(where: { $0.id == id }) else { return }
        let program = context.executable ?? CommandLine.arguments[0]
        let post = post
        do throws(SystemError) {
            let process = try ServerProcess(
                [program, "server", member.configurationPath], guardian: context.executable, logPath: member.logPath
            ) { line in
                post.yield(.wrote(id, line))
            }
            processes[id] = process
            machine.started(id, process: process.id, now: SystemClock.now())
            Task {
                let (status, lastLines) = await process.ending()
                post.yield(.ended(id, status, lastLines: lastLines))
            }
        } catch {
            machine.startFailed(id, error.description)
        }
    }

    private func post(_ event: Event, after milliseconds: Int64) {
        let post = post
        Task {
            // Nobody cancels it.
            try? await Task.sleep(for: .milliseconds(milliseconds))
            post.yield(event)
        }
    }

    private func tick() -> Task<Void, Never> {
        let post = post
        return Task {
            while !Task.isCancelled {
                post.yield(.tick)
                // Cancelled, it ends.
                try? await Task.sleep(for: Self.tickInterval)
            }
        }
    }

    // MARK: The line about the start

    private mutating func showProgress() {
        guard context.console.errorsAreTerminal, let progress = machine.progress else { return erase() }
        let time = DurationText.format(.seconds((ContinuousClock.now - start).components.seconds))
        context.console.errors.write("\r\u{1B}[K" + context.console.errorStyle.dim("starting: \(progress) (\(time))"))
        isLineShown = true
    }

    private mutating func erase() {
        guard isLineShown else { return }
        context.console.errors.write("\r\u{1B}[K")
        isLineShown = false
    }
}
