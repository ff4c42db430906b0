/// Lets tests stand at every point where a call may be suspended.
package enum ClientStep {
    /// Called in the calling task before each request is sent (`"send getData /a"`) and after each answer
    /// (`"answer getData /a"`). Not called in work that the client does for itself, such as cleaning up.
    @TaskLocal package static var observer: (@Sendable (String) async -> Void)?
}
