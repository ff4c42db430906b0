import ConclaveTransport

/// Carries something that lives on one event loop across threads, without letting anybody touch it elsewhere.
// Safe to share: `value` is only reached through `withValue`, which traps off the loop.
final class LoopConfined<Value>: @unchecked Sendable {
    private let loop: EventLoop
    private let value: Value

    init(_ value: Value, on loop: EventLoop) {
        self.value = value
        self.loop = loop
    }

    func withValue<R, Failure: Error>(_ body: (Value) throws(Failure) -> R) throws(Failure) -> R {
        precondition(loop.isCurrent, "used off its event loop")
        return try body(value)
    }
}
