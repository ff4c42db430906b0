import CBenchmarkCounting

/// One piece of the program that is counted, and timed, by itself.
struct MicroCase: Sendable {
    let name: String
    let text: String
    /// How many operations one call of the prepared body performs.
    let operations: Int
    /// Makes what the body needs, which does not count. The body may be called any number of times.
    let prepare: @Sendable () throws -> () throws -> Void

    init(_ name: String, _ text: String, operations: Int, prepare: @escaping @Sendable () throws -> () throws -> Void) {
        self.name = name
        self.text = text
        self.operations = operations
        self.prepare = prepare
    }

    static let all: [MicroCase] =
        codecCases + treeCases + logCases + consensusCases + serverCases + sessionCases + recipeCases

    /// Calls the body until buffers have their size, then once between the marks.
    /// - Returns: allocations per operation; `nil` where they cannot be counted.
    func count() throws -> Double? {
        let body = try prepare()
        for _ in 0..<2 { try body() }
        let before = benchmark_allocations()
        benchmark_count_begin()
        try body()
        benchmark_count_end()
        let after = benchmark_allocations()
        return before < 0 ? nil : Double(after - before) / Double(operations)
    }

    /// The best processor time per operation, in nanoseconds.
    func time() throws -> Double {
        let body = try prepare()
        try body()
        var best = Double.infinity
        // At least a quarter of a second altogether, so that the clock's step does not show.
        let begin = processorSeconds()
        while processorSeconds() - begin < 0.25 {
            var calls = 0
            let start = processorSeconds()
            var end = start
            while end - start < 0.01 {
                try body()
                calls += 1
                end = processorSeconds()
            }
            best = min(best, (end - start) / Double(calls))
        }
        return best * 1e9 / Double(operations)
    }
}

/// Why a case could not be prepared, or did something else than it should.
struct MicroError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Uses a value, so that the optimiser cannot drop what made it.
func keep(_ value: some BinaryInteger) { benchmark_keep(Int64(truncatingIfNeeded: value)) }
