import CConclavePlatform
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A terminal's modes: tcsetattr(3).
package enum TerminalMode {
    /// The width and height of a terminal in characters: ioctl(TIOCGWINSZ). `nil` if the descriptor is none, or does
    /// not know.
    package static func windowSize(
        of descriptor: FileDescriptor = .standardOutput
    ) -> (columns: Int, rows: Int)? {
        var columns: UInt16 = 0
        var rows: UInt16 = 0
        guard conclave_window_size(descriptor.rawValue, &columns, &rows) == 0, columns > 0, rows > 0 else { return nil }
        return (Int(columns), Int(rows))
    }

    /// Switches a terminal to raw mode: every key at once, nothing echoed, no signals from keys. Output stays as it is,
    /// so that a line feed still begins a line. Nothing happens if it is raw already.
    ///
    /// ``restore()`` is called when the process exits; a program that ends by a signal must call it from its handler.
    package static func makeRaw(_ descriptor: FileDescriptor = .standardInput) throws(SystemError) {
        try saved.withLock { saved throws(SystemError) in
            guard saved == nil else { return }
            var mode = termios()
            guard tcgetattr(descriptor.rawValue, &mode) == 0 else { throw SystemError("tcgetattr") }
            let old = Saved(descriptor: descriptor, mode: mode)
            mode.c_iflag &= ~tcflag_t(BRKINT | ICRNL | INPCK | ISTRIP | IXON)
            mode.c_lflag &= ~tcflag_t(ECHO | ICANON | IEXTEN | ISIG)
            mode.c_cflag |= tcflag_t(CS8)
            withUnsafeMutableBytes(of: &mode.c_cc) { characters in
                // A read returns with the first byte.
                characters[Int(VMIN)] = 1
                characters[Int(VTIME)] = 0
            }
            guard tcsetattr(descriptor.rawValue, TCSAFLUSH, &mode) == 0 else { throw SystemError("tcsetattr") }
            saved = old
            if !isExitHandlerSet {
                isExitHandlerSet = true
                atexit { TerminalMode.restore() }
            }
        }
    }

    /// Gives the terminal the mode it had before ``makeRaw(_:)``. Any number of times.
    package static func restore() {
        saved.withLock { saved in
            guard var old = saved else { return }
            saved = nil
            tcsetattr(old.descriptor.rawValue, TCSAFLUSH, &old.mode)
        }
    }

    private struct Saved: @unchecked Sendable {
        // termios is plain numbers.
        var descriptor: FileDescriptor
        var mode: termios
    }

    private static let saved = Mutex<Saved?>(nil)
    // Touched only under the lock of `saved`.
    nonisolated(unsafe) private static var isExitHandlerSet = false
}
