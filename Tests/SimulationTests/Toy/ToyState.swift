import ConclaveCore
import ConclaveSimulator

/// What the toy's log leads to: a few registers with versions, and the open sessions.
struct ToyState: Sendable {
    struct Register: Equatable, Sendable {
        var value: Int64 = 0
        var version: Int32 = 0
        var changedAt = Zxid.zero
    }

    static let keyCount = 6

    private(set) var registers = [Register](repeating: Register(), count: keyCount)
    /// Sorted.
    private(set) var sessions: [(id: SessionID, timeoutMilliseconds: Int64)] = []
    private(set) var lastApplied = Zxid.zero
    private(set) var digest: UInt64 = 1

    func contains(_ session: SessionID) -> Bool { sessions.contains { $0.id == session } }

    func read(_ key: Int32) -> ToyAnswer {
        let register = registers[Int(key)]
        return ToyAnswer(isDone: true, value: register.value, version: register.version)
    }

    /// - Parameter salt: 0, or what the bug adds that makes servers differ.
    mutating func apply(_ entry: ToyEntry, salt: Int64) -> ToyAnswer {
        lastApplied = entry.zxid
        let command = entry.command
        var answer = ToyAnswer(isDone: true, value: 0, version: 0)
        switch command.kind {
        case .begin, .read: break
        case .open:
            if !contains(entry.session) {
                sessions.append((entry.session, command.value))
                sessions.sort { $0.id < $1.id }
            }
        case .close: sessions.removeAll { $0.id == entry.session }
        case .set, .swap:
            let key = Int(command.key)
            if !contains(entry.session) {
                answer = ToyAnswer(isDone: false, value: -1, version: -1)
            } else if command.kind == .swap, registers[key].version != command.version {
                answer = ToyAnswer(isDone: false, value: registers[key].value, version: registers[key].version)
            } else {
                registers[key].value = command.value &+ (command.kind == .swap ? salt : 0)
                registers[key].version += 1
                registers[key].changedAt = entry.zxid
                answer = read(command.key)
            }
        }
        digest = (digest ^ entry.fingerprint) &* 0x9E37_79B9_7F4A_7C15
        digest ^= UInt64(bitPattern: answer.value) &+ UInt64(UInt32(bitPattern: answer.version))
        return answer
    }
}

/// The same, from the point of view of somebody who only knows what it promises.
struct ToyModel: ReferenceModel {
    struct Request: Sendable {
        var command: ToyCommand
    }

    private var values: [Int32: (value: Int64, version: Int32)] = [:]
    private var ended: Set<SessionID> = []
    private var changes: [Int32] = []

    private func value(_ key: Int32) -> (value: Int64, version: Int32) { values[key] ?? (0, 0) }

    mutating func perform(_ request: Request, session: SessionID, zxid: Zxid) -> ToyAnswer {
        let command = request.command
        guard !ended.contains(session) else { return ToyAnswer(isDone: false, value: -1, version: -1) }
        let old = value(command.key)
        if command.kind == .swap, old.version != command.version {
            return ToyAnswer(isDone: false, value: old.value, version: old.version)
        }
        values[command.key] = (command.value, old.version + 1)
        changes.append(command.key)
        return ToyAnswer(isDone: true, value: command.value, version: old.version + 1)
    }

    func read(_ request: Request, session: SessionID) -> ToyAnswer {
        let (value, version) = value(request.command.key)
        return ToyAnswer(isDone: true, value: value, version: version)
    }

    mutating func close(_ session: SessionID, zxid: Zxid) { ended.insert(session) }

    mutating func takeChanges() -> [Int32] {
        guard !changes.isEmpty else { return [] }
        defer { changes = [] }
        return changes
    }
}
