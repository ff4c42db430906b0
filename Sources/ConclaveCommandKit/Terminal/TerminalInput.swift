import ConclaveSystem

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The bytes of the standard input as they come, read by a thread of their own.
///
/// The thread ends with the input, or with the process: a blocked read cannot be taken back.
package enum TerminalInput {
    /// Hands every piece to `receive`, then `nil` at the end of the input.
    package static func start(_ receive: @escaping @Sendable ([UInt8]?) -> Void) throws(ToolFailure) {
        do {
            _ = try ThreadHandle(name: "input") {
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    let result = buffer.withUnsafeMutableBytes { FileDescriptor.standardInput.read(into: $0) }
                    guard case .bytes(let count) = result, count > 0 else { return receive(nil) }
                    receive(Array(buffer[..<count]))
                }
            }
        } catch {
            throw ToolFailure("cannot start a thread: \(error)")
        }
    }
}

/// Cuts the standard input into lines.
package struct LineSplitter: Sendable {
    private var pending: [UInt8] = []

    package init() {}

    /// The lines that a piece completes; at the end (`nil`) what is left over.
    package mutating func take(_ piece: [UInt8]?) -> [String] {
        guard let piece else {
            defer { pending = [] }
            return pending.isEmpty ? [] : [Self.text(pending[...])]
        }
        pending.append(contentsOf: piece)
        var lines: [String] = []
        var start = 0
        while let end = pending[start...].firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(Self.text(pending[start..<end]))
            start = end + 1
        }
        pending.removeFirst(start)
        return lines
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let bytes = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        return String(decoding: bytes, as: UTF8.self)
    }
}
