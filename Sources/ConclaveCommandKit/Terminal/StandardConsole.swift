import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Writes to a descriptor of the process, unbuffered: a line is there when it has been written.
package struct DescriptorSink: Console.Sink {
    private let descriptor: FileDescriptor

    package init(_ descriptor: FileDescriptor) { self.descriptor = descriptor }

    package func write(_ text: String) {
        do {
            try descriptor.writeAll(Array(text.utf8))
        } catch {
            // The reader of a pipe has gone (`conclave … | head`): end as programs do that do not ignore the signal. Nothing
            // can be told about other failures, for this is the way to tell them.
            guard error.errno == .brokenPipe, descriptor == .standardOutput else { return }
            signal(SIGPIPE, SIG_DFL)
            raise(SIGPIPE)
        }
    }
}

extension Console {
    /// The outputs of this process.
    ///
    /// Colours need a terminal and neither `NO_COLOR` (set to anything, see no-color.org) nor `TERM=dumb`.
    package static func standard(environment: [String: String]) -> Console {
        let wantsColours = (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
        let output = FileDescriptor.standardOutput
        let errors = FileDescriptor.standardError
        let width = TerminalMode.windowSize(of: output)?.columns ?? TerminalMode.windowSize(of: errors)?.columns
        return Console(
            output: DescriptorSink(output), errors: DescriptorSink(errors), isTerminal: output.isTerminal,
            errorsAreTerminal: errors.isTerminal, colours: wantsColours, width: width ?? 100)
    }
}
