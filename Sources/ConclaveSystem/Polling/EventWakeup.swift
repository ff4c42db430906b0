import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Ends a thread's wait from another thread: eventfd(2) on Linux, a pipe elsewhere.
package struct EventWakeup: Sendable {
    private let readEnd: FileDescriptor
    private let writeEnd: FileDescriptor

    package init() throws(SystemError) {
        #if os(Linux)
        let number = conclave_eventfd()
        guard number >= 0 else { throw SystemError("eventfd") }
        readEnd = FileDescriptor(rawValue: number)
        writeEnd = readEnd
        #else
        (readEnd, writeEnd) = try FileDescriptor.pipe()
        #endif
    }

    /// Becomes readable after ``signal()``.
    package var descriptor: FileDescriptor { readEnd }

    /// Makes the descriptor readable. Any thread, any number of times; many signals are one. No allocation, one system
    /// call.
    package func signal() {
        var one: UInt64 = 1
        // It fails only when the counter or pipe is full, and then it is readable already.
        _ = withUnsafeBytes(of: &one) { writeEnd.write($0) }
    }

    /// Makes the descriptor unreadable again.
    package func clear() {
        withUnsafeTemporaryAllocation(byteCount: 512, alignment: 8) { buffer in
            // An eventfd is empty after one read; a pipe may hold more, but then it stays readable and this is called
            // again.
            _ = readEnd.read(into: buffer)
        }
    }

    package func close() {
        readEnd.close()
        if writeEnd != readEnd { writeEnd.close() }
    }
}
