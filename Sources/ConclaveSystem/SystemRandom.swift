import ConclaveCore

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Random numbers fit for secrets (session passwords): getentropy(3).
package struct SystemRandom: RandomNumberGenerator, Sendable {
    package init() {}

    package mutating func next() -> UInt64 {
        var number: UInt64 = 0
        let result = withUnsafeMutableBytes(of: &number) { getentropy($0.baseAddress!, $0.count) }
        // getentropy fails only for a bad pointer, more than 256 bytes, or a kernel without random numbers.
        precondition(result == 0, "the system gives no random numbers: \(Errno.current)")
        return number
    }

    /// So many random bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        var source = SystemRandom()
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            var number = source.next()
            for _ in 0..<8 {
                bytes.append(UInt8(truncatingIfNeeded: number))
                number >>= 8
            }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }
}
