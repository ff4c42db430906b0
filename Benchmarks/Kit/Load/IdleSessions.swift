import ConclaveCore
import ConclaveSystem
import ConclaveWire

/// Sessions that do nothing but tell that they live, the engine's rate in pings a second altogether.
package struct IdleSessions {
    private let engine: Engine
    private let count: Int

    package init(engine: Engine, count: Int) {
        self.engine = engine
        self.count = count
    }

    package func run() throws -> Measurement {
        var workload = PingWorkload(connections: count)
        return try engine.run(&workload)
    }
}
