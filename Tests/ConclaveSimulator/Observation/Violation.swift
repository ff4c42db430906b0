/// A promise that was broken, with what a person needs to look for the cause.
package struct Violation: Sendable, Equatable, Error {
    /// The name of the invariant or check.
    package let rule: String
    package let detail: String
    /// Which server or client; `nil` where it is the whole cluster.
    package let process: Int?
    /// True time in nanoseconds.
    package let time: Int64

    package init(_ rule: String, _ detail: String, process: Int? = nil, time: Int64) {
        self.rule = rule
        self.detail = detail
        self.process = process
        self.time = time
    }
}

extension Violation: CustomStringConvertible {
    package var description: String {
        let place = process.map { " at process \($0)" } ?? ""
        return "\(rule), after \(time / 1_000_000) ms\(place): \(detail)"
    }
}
