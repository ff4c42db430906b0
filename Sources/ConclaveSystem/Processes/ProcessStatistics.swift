import CConclavePlatform

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// What the system says of this process, for admin words. A number is `nil` where the platform gives none.
package struct ProcessStatistics: Equatable, Sendable {
    package var openDescriptors: Int?
    package var maximumDescriptors: Int?
    package var residentBytes: Int?
    /// CPU time that all threads have used, in microseconds: getrusage(2).
    package var processorMicroseconds: Int64

    /// Asks now: a handful of system calls.
    package static func current() -> ProcessStatistics {
        var usage = rusage()
        #if canImport(Glibc)
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        #else
        getrusage(Int32(RUSAGE_SELF), &usage)
        #endif
        let microseconds =
            Int64(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
            + Int64(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
        return ProcessStatistics(
            openDescriptors: countDescriptors(), maximumDescriptors: descriptorLimits()?.soft,
            residentBytes: residentBytes(), processorMicroseconds: microseconds)
    }

    /// getrlimit(RLIMIT_NOFILE)
    package static func descriptorLimits() -> (soft: Int, hard: Int)? {
        var limits = rlimit()
        #if canImport(Glibc)
        guard getrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limits) == 0 else { return nil }
        #else
        guard getrlimit(RLIMIT_NOFILE, &limits) == 0 else { return nil }
        #endif
        return (Int(clamping: limits.rlim_cur), Int(clamping: limits.rlim_max))
    }

    /// setrlimit(RLIMIT_NOFILE): raises the number of descriptors to the hard limit. Servers do so at their start.
    @discardableResult
    package static func raiseDescriptorLimit() -> Int? {
        guard let limits = descriptorLimits() else { return nil }
        return setDescriptorLimit(limits.hard) ? limits.hard : limits.soft
    }

    /// setrlimit(RLIMIT_NOFILE) of the soft limit. `false` above the hard one.
    package static func setDescriptorLimit(_ count: Int) -> Bool {
        guard let hard = descriptorLimits()?.hard else { return false }
        var limits = rlimit(rlim_cur: rlim_t(count), rlim_max: rlim_t(hard))
        #if canImport(Darwin)
        limits.rlim_cur = min(limits.rlim_cur, rlim_t(OPEN_MAX))
        #endif
        #if canImport(Glibc)
        return setrlimit(__rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue)), &limits) == 0
        #else
        return setrlimit(RLIMIT_NOFILE, &limits) == 0
        #endif
    }

    private static func countDescriptors() -> Int? {
        #if os(Linux)
        let folder = "/proc/self/fd"
        #else
        let folder = "/dev/fd"
        #endif
        guard let stream = opendir(folder) else { return nil }
        defer { closedir(stream) }
        var count = 0
        while readdir(stream) != nil { count += 1 }
        // Without the two dots and the folder itself.
        return max(0, count - 3)
    }

    private static func residentBytes() -> Int? {
        #if os(Linux)
        let number = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(rawValue: number)
        defer { file.close() }
        let text = withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer -> String in
            guard case .bytes(let count) = file.read(into: buffer) else { return "" }
            return String(decoding: buffer[..<count], as: UTF8.self)
        }
        // Pages: size, resident, shared ...
        let fields = text.split(separator: " ")
        guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
        #else
        return nil
        #endif
    }
}
