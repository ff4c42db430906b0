import ConclaveCore

/// The first argument of a command that does several things.
enum Actions {
    /// - Parameter counts: each action with how many arguments it takes beside itself.
    static func check(
        _ arguments: Arguments, _ counts: [(name: String, count: ClosedRange<Int>)]
    ) throws(UsageError) -> String {
        let action = arguments.positional[0]
        let names = counts.map(\.name)
        guard let found = counts.first(where: { $0.name == action }) else {
            let hint = NearestName.suggestion(for: action, among: names).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("\"\(action)\" is none of \(names.joined(separator: ", "))\(hint)")
        }
        let given = arguments.positional.count - 1
        guard found.count.contains(given) else {
            let most = found.count.upperBound
            let text = found.count.lowerBound == most ? "\(most)" : "\(found.count.lowerBound) to \(most)"
            throw UsageError("\(action) takes \(text) argument\(most == 1 ? "" : "s"), not \(given)")
        }
        return action
    }

    /// Options that belong to some actions only.
    static func allow(
        _ option: OptionSpecification, for names: [String], in arguments: Arguments
    ) throws(UsageError) {
        guard arguments.has(option), !names.contains(arguments.positional[0]) else { return }
        throw UsageError("\(option.name) is for \(names.joined(separator: " and "))")
    }
}
