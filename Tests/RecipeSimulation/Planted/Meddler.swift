import ConclaveClient
import ConclaveCore
import Recipes

/// Stands between a machine and the ensemble and changes what one of them says, as a planted mistake would.
struct Meddler: Sendable {
    private let planted: RecipeBug?
    private let session: SessionID
    /// The names of nodes that the machine has made.
    private var made: [String] = []

    init(_ planted: RecipeBug?, session: SessionID) {
        self.planted = planted
        self.session = session
    }

    mutating func changed(_ event: StepEvent) -> StepEvent {
        if planted == .takesLossForAbsence, case .failed(let code, _) = event, code.isWorthReconnecting {
            return .answered(.exists(nil), isWindowOpen: true)
        }
        guard let planted, case .answered(let answer, let isWindowOpen) = event else { return event }
        switch (planted, answer) {
        case (.ignoresWindow, _): return .answered(answer, isWindowOpen: true)
        case (.takesLockOfOthers, .exists(var stat?)):
            stat.ephemeralOwner = session
            return .answered(.exists(stat), isWindowOpen: isWindowOpen)
        case (.looksAtOneLock, .written(let results)), (.countsItselfTwice, .written(let results)):
            for case .created(let path, _) in results { made.append(RecipeHistory.name(of: path)) }
            return event
        case (.looksAtOneLock, .read(let readings)):
            let seen = readings.enumerated().map { place, reading -> StepReading in
                guard place > 0, case .children(let names) = reading else { return reading }
                return .children(names.filter(made.contains))
            }
            return .answered(.read(seen), isWindowOpen: isWindowOpen)
        case (.countsItselfTwice, .children(let children)):
            let names = (children.names + made.map { $0 + "x" }).sorted()
            return .answered(.children(Children(names: names, stat: children.stat)), isWindowOpen: isWindowOpen)
        case (.countsItselfTwice, .data(let node)):
            var stat = node.stat
            stat.numChildren += 1
            return .answered(.data(NodeData(data: node.data, stat: stat)), isWindowOpen: isWindowOpen)
        default: return event
        }
    }

    func changed(_ request: StepRequest) -> StepRequest {
        switch (planted, request) {
        case (.writesBlindly, .write(let operations)):
            return .write(
                operations.map { operation in
                    guard case .setData(let path, let data, _) = operation else { return operation }
                    return .setData(path, data)
                })
        case (.assignsWithoutTerm, .write(let operations)):
            return .write(operations.filter { if case .check = $0 { false } else { true } })
        case (.listsWithoutWatch, .children(let path, watch: true)): return .children(path)
        case (.readsWithoutWatch, .data(let path, watch: true)): return .data(path)
        default: return request
        }
    }
}
