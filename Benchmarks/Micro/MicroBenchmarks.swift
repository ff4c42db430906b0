/// Micro benchmarks: `swift run -c release MicroBenchmarks [nodes]`. Times are processor time.
@main
enum MicroBenchmarks {
    static func main() {
        let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
        TreeBenchmark(count: max(1000, count)).run()
        benchmarkWatches()
    }
}
