#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// posix_spawnp(3): a new process in which all signals have their default action and none is blocked.
package enum Spawn {
    /// Starts a program, searched in PATH unless its name has a slash.
    ///
    /// - Parameters:
    ///   - arguments: what the program sees, its own name first.
    ///   - environment: the whole of it, as `NAME=value`.
    ///   - ownGroup: whether it leads a process group of its own.
    ///   - output: where its standard output and error go instead; its standard input is empty then.
    package static func start(
        _ program: String, _ arguments: [String], _ environment: [String], ownGroup: Bool,
        output: FileDescriptor? = nil
    ) throws(SystemError) -> Int32 {
        #if canImport(Darwin)
        var attributes: posix_spawnattr_t?
        #else
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This process blocks and ignores signals for its own purposes; the new one starts without any of that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
        if ownGroup {
            posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int32(POSIX_SPAWN_SETPGROUP)
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let output {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
            posix_spawn_file_actions_adddup2(&actions, output.rawValue, 2)
        }

        var arguments: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
        defer {
            for pointer in arguments { free(pointer) }
            for pointer in environment { free(pointer) }
        }
        var processID: pid_t = 0
        let result = posix_spawnp(&processID, program, &actions, &attributes, &arguments, &environment)
        guard result == 0 else {
            throw SystemError("posix_spawn", errno: Errno(rawValue: result))
        }
        return processID
    }
}
