import CConclavePlatform
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A thread of the operating system: pthread_create(3), joined once by whoever asks first.
package final class ThreadHandle: Sendable {
    private enum State {
        case running(pthread_t)
        case joined
    }

    // pthread_t is a plain number on Linux and a pointer on Darwin; it is only ever given back to pthread functions.
    private struct Box: @unchecked Sendable { var state: State }
    private let box: Mutex<Box>

    private static let stackBytes = 2 << 20

    /// Starts a thread that runs `body` and then ends. The name is cut at 15 bytes on Linux.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let argument = Unmanaged.passRetained(StartArgument(name: name, body: body))
        #if canImport(Darwin)
        var thread: pthread_t?
        #else
        var thread = pthread_t()
        #endif
        // The defaults range from 128 KiB (Musl) to 8 MiB (Glibc).
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        defer { pthread_attr_destroy(&attributes) }
        let result = pthread_create(&thread, &attributes, runThread, argument.toOpaque())
        guard result == 0 else {
            argument.release()
            throw SystemError("pthread_create", errno: Errno(rawValue: result))
        }
        #if canImport(Darwin)
        // pthread_create succeeded, so it has filled this in.
        box = Mutex(Box(state: .running(thread!)))
        #else
        box = Mutex(Box(state: .running(thread)))
        #endif
    }

    /// Waits until the thread has ended: pthread_join(3). Any number of threads may call it, any number of times,
    /// except the thread itself.
    package func join() {
        box.withLock { box in
            guard case .running(let thread) = box.state else { return }
            pthread_join(thread, nil)
            box.state = .joined
        }
    }

    deinit {
        box.withLock { box in
            guard case .running(let thread) = box.state else { return }
            pthread_detach(thread)
        }
    }

    /// A number that differs between all threads that run now: pthread_self(3). Never 0.
    package static var currentID: UInt {
        #if canImport(Glibc)
        UInt(pthread_self())
        #else
        UInt(bitPattern: pthread_self())
        #endif
    }
}

private final class StartArgument: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

#if canImport(Darwin)
private func runThread(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? { start(argument) }
#else
private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // ThreadHandle always passes its argument.
    start(argument!)
}
#endif

private func start(_ argument: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let argument = Unmanaged<StartArgument>.fromOpaque(argument).takeRetainedValue()
    argument.name.withCString { conclave_name_thread($0) }
    argument.body()
    return nil
}
