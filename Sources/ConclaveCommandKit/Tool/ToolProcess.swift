import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The tool as a process: its command line, environment, signals and exit status.
package enum ToolProcess {
    /// Runs what the command line asks for and ends the process.
    package static func run() async -> Never {
        let words = Array(CommandLine.arguments.dropFirst())
        if let status = GuardedExec.run(words) { exit(status) }
        Signals.ignoreBrokenPipe()
        let interrupts = Interrupts { status in
            TerminalMode.restore()
            _exit(status)
        }
        // Without the handlers signals end the process at once, which is what the system does anyway.
        try? Signals.handle([.interrupt, .terminate, .hangUp]) { interrupts.deliver($0.rawValue) }
        let environment = ProcessEnvironment.all
        let context = ToolContext(
            console: .standard(environment: environment), environment: environment, interrupts: interrupts,
            executable: ProcessEnvironment.executable)
        exit(await Tool(context: context).run(words))
    }
}
