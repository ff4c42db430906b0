import ConclaveClient
import ConclaveCore
import Recipes

private let session = SessionID(rawValue: 7)
private let own = AttemptID(high: 1, low: 2)

private func contender(_ number: Int, _ id: AttemptID) -> String {
    let digits = String(number)
    return "_c_\(id.text)-lock-" + String(repeating: "0", count: 10 - digits.count) + digits
}

/// What the decisions of recipes cost, beside the requests that they make.
let recipeCases: [MicroCase] = [
    MicroCase("recipe-lock", "a lock nobody else wants: created, listed, held, released", operations: 256) {
        let name = contender(5, own)
        return {
            for _ in 0..<256 {
                var machine = ContenderMachine(attempt: own, session: session)
                keep(machine.handle(.start).count)
                keep(machine.handle(.created(name: name, czxid: Zxid(rawValue: 100), owner: session)).count)
                let actions = machine.handle(.listed([name], isWindowOpen: true))
                guard case .grant? = actions.first else { throw MicroError("not granted") }
                keep(machine.handle(.released).count)
            }
        }
    },
    MicroCase("recipe-lock-32", "a place in a queue of 32 judged once", operations: 64) {
        let names = (0..<32).map { contender($0, $0 == 20 ? own : AttemptID(high: 9, low: UInt64($0))) }
        return {
            for _ in 0..<64 {
                var machine = ContenderMachine(attempt: own, session: session)
                _ = machine.handle(.start)
                _ = machine.handle(.created(name: names[20], czxid: Zxid(rawValue: 100), owner: session))
                let actions = machine.handle(.listed(names, isWindowOpen: true))
                guard case .wait? = actions.first else { throw MicroError("not waiting") }
            }
        }
    },
    MicroCase("recipe-counter", "a counter moved on: read, written with its version", operations: 256) {
        let node = NodeData(data: CounterBlock.encode(41), stat: Sample.stat)
        return {
            for seed in 0..<UInt64(256) {
                var machine = CounterMachine(.add(1), at: "/bench/counter", seed: seed)
                keep(machine.handle(.start).count)
                keep(machine.handle(.answered(.data(node), isWindowOpen: true)).count)
                let actions = machine.handle(.answered(.written([.dataSet(Sample.stat)]), isWindowOpen: true))
                guard case .finish? = actions.first else { throw MicroError("not finished") }
            }
        }
    },
]
