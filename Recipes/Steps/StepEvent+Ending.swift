import ConclaveCore

extension StepEvent {
    /// Why a machine that has nothing to clean up ends with this event; `nil` if it goes on.
    package var ending: StepFailure? {
        switch self {
        case .cancelled: StepFailure(.cancelled, message: "the task was cancelled while it waited")
        case .deadlinePassed: StepFailure(.deadlineExceeded)
        case .sessionOver(let code): StepFailure(code)
        case .start, .answered, .failed, .changed, .elapsed, .connected: nil
        }
    }
}
