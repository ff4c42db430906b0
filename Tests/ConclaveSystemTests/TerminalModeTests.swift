import ConclaveSystem
import Foundation
import Testing

#if os(Linux)
@Suite(.serialized) struct TerminalModeTests {
    /// A terminal that nobody looks at: the side of the keyboard and the side of the program.
    private func makeTerminal() throws -> (keyboard: FileDescriptor, program: FileDescriptor) {
        let keyboard = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        try #require(keyboard >= 0)
        // What unlockpt(3) and ptsname(3) do; Swift does not see them. TIOCSPTLCK and TIOCGPTN.
        var unlocked: Int32 = 0
        var number: Int32 = -1
        try #require(ioctl(keyboard, 0x4004_5431, &unlocked) == 0 && ioctl(keyboard, 0x8004_5430, &number) == 0)
        let program = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        try #require(program >= 0)
        return (FileDescriptor(rawValue: keyboard), FileDescriptor(rawValue: program))
    }

    @Test("Raw mode gives every key at once and is taken back")
    func rawMode() throws {
        let (keyboard, program) = try makeTerminal()
        defer {
            keyboard.close()
            program.close()
        }
        #expect(program.isTerminal)
        try TerminalMode.makeRaw(program)
        try TerminalMode.makeRaw(program)
        try keyboard.writeAll([3, UInt8(ascii: "x")])
        var read: [UInt8] = []
        while read.count < 2 {
            let part = withUnsafeTemporaryAllocation(byteCount: 8, alignment: 1) { buffer -> [UInt8] in
                guard case .bytes(let count) = program.read(into: buffer) else { return [] }
                return Array(buffer[..<count])
            }
            guard !part.isEmpty else { break }
            read += part
        }
        #expect(read == [3, UInt8(ascii: "x")])
        var raw = termios()
        tcgetattr(program.rawValue, &raw)
        #expect(raw.c_lflag & tcflag_t(ICANON | ECHO) == 0)
        TerminalMode.restore()
        TerminalMode.restore()
        var restored = termios()
        tcgetattr(program.rawValue, &restored)
        #expect(restored.c_lflag & tcflag_t(ICANON | ECHO) == tcflag_t(ICANON | ECHO))
    }

    @Test("What is no terminal has no size and cannot be raw")
    func noTerminal() throws {
        let null = try FileDescriptor.reserve()
        defer { null.close() }
        #expect(!null.isTerminal)
        #expect(TerminalMode.windowSize(of: null) == nil)
        #expect(throws: SystemError.self) { try TerminalMode.makeRaw(null) }
    }
}
#endif
