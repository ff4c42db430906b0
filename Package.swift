// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
let pure: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
    name: "conclave",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Recipes", targets: ["Recipes"]),
        .library(name: "RecipesTesting", targets: ["RecipesTesting"]),
        .library(name: "ConclaveClient", targets: ["ConclaveClient"]),
        .library(name: "ConclaveServer", targets: ["ConclaveServer"]),
        .executable(name: "conclave", targets: ["conclave"]),
        .executable(name: "conclave-load", targets: ["conclave-load"]),
        .executable(name: "recipe-load", targets: ["recipe-load"]),
        .executable(name: "conclave-bench", targets: ["conclave-bench"]),
    ],
    targets: [
        // The pure ring: no clock, lock, task, file or socket.
        .target(name: "ConclaveCore", swiftSettings: pure),
        .target(name: "ConclaveWire", dependencies: ["ConclaveCore"], swiftSettings: pure),
        .target(
            name: "ConclaveTree", dependencies: ["ConclaveCore"], exclude: ["README.md"], swiftSettings: pure),
        .target(
            name: "ConclaveStorage", dependencies: ["ConclaveCore", "ConclaveWire"], exclude: ["README.md"],
            swiftSettings: pure),
        .target(name: "ConclaveSession", dependencies: ["ConclaveCore", "ConclaveWire"], swiftSettings: pure),
        .target(
            name: "ConclaveConsensus", dependencies: ["ConclaveCore", "ConclaveWire"], exclude: ["README.md"],
            swiftSettings: pure),
        .target(
            name: "ConclaveNode",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveConsensus"], swiftSettings: pure),

        // The I/O ring: threads, sockets, files, clocks.
        .target(name: "CConclavePlatform"),
        .target(name: "ConclaveSystem", dependencies: ["ConclaveCore", "CConclavePlatform"], swiftSettings: strict),
        .target(name: "ConclaveTransport", dependencies: ["ConclaveCore", "ConclaveSystem"], swiftSettings: strict),
        .target(
            name: "ConclaveClient",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveSession", "ConclaveSystem", "ConclaveTransport"],
            swiftSettings: strict),
        .target(
            name: "ConclaveServer",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveConsensus", "ConclaveNode", "ConclaveStorage",
                "ConclaveSystem", "ConclaveTransport",
            ],
            swiftSettings: strict),

        // The face.
        .target(
            name: "Recipes", dependencies: ["ConclaveCore", "ConclaveSystem", "ConclaveClient"], path: "Recipes",
            exclude: ["README.md"],
            swiftSettings: strict),
        .target(
            name: "RecipesTesting", dependencies: ["ConclaveCore", "ConclaveClient", "ConclaveServer"],
            swiftSettings: strict),
        .target(
            name: "ConclaveCommandKit",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveStorage", "ConclaveSystem", "ConclaveClient", "ConclaveServer",
                "Recipes",
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "conclave", dependencies: ["ConclaveCommandKit"], path: "Sources/ConclaveCommand",
            swiftSettings: strict),

        // Benchmarks.
        .target(
            name: "BenchmarkKit",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveSystem", "ConclaveClient", "Recipes"],
            path: "Benchmarks/Kit", swiftSettings: strict),
        .executableTarget(
            name: "conclave-load", dependencies: ["BenchmarkKit", "ConclaveCore", "ConclaveSystem"],
            path: "Benchmarks/Load", swiftSettings: strict),
        .executableTarget(
            name: "recipe-load", dependencies: ["BenchmarkKit", "ConclaveClient"], path: "Benchmarks/RecipeLoad",
            swiftSettings: strict),
        .executableTarget(
            name: "conclave-bench",
            dependencies: [
                "BenchmarkKit", "ConclaveCore", "ConclaveSystem", "ConclaveClient", "ConclaveCommandKit",
            ],
            path: "Benchmarks/Bench", swiftSettings: strict),
        .executableTarget(
            name: "MicroBenchmarks",
            dependencies: [
                "BenchmarkKit", "CBenchmarkCounting", "ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveStorage",
                "ConclaveConsensus", "ConclaveNode", "ConclaveSession", "ConclaveClient", "Recipes",
            ],
            path: "Benchmarks/Micro", exclude: ["thresholds.txt"], swiftSettings: strict),
        .target(name: "CBenchmarkCounting", path: "Benchmarks/Counting"),

        // Tests, and what they share.
        .target(
            name: "ConclaveSimulator", dependencies: ["ConclaveCore"], path: "Tests/ConclaveSimulator",
            exclude: ["README.md"],
            swiftSettings: pure),
        .target(name: "TestLanes", path: "Tests/TestLanes", swiftSettings: strict),
        .testTarget(name: "ConclaveCoreTests", dependencies: ["ConclaveCore"], swiftSettings: strict),
        .testTarget(name: "ConclaveWireTests", dependencies: ["ConclaveCore", "ConclaveWire"], swiftSettings: strict),
        .testTarget(
            name: "ConclaveTreeTests", dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveTree"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveStorageTests",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveStorage", "ConclaveSimulator", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveSessionTests", dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveSession"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveConsensusTests",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveConsensus", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveNodeTests",
            dependencies: ["ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveConsensus", "ConclaveNode"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveSystemTests", dependencies: ["ConclaveCore", "ConclaveSystem", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveTransportTests",
            dependencies: ["ConclaveCore", "ConclaveSystem", "ConclaveTransport", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveClientTests",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveSystem", "ConclaveTransport", "ConclaveClient",
                "ConclaveServer", "TestLanes",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveServerTests",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveConsensus", "ConclaveSystem", "ConclaveTransport",
                "ConclaveClient", "ConclaveServer", "TestLanes",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RecipesTests",
            dependencies: ["ConclaveCore", "ConclaveClient", "ConclaveServer", "Recipes", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "RecipesTestingTests", dependencies: ["ConclaveCore", "Recipes", "RecipesTesting", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "ConclaveCommandTests",
            dependencies: [
                "ConclaveCore", "ConclaveSystem", "ConclaveClient", "ConclaveServer", "ConclaveCommandKit", "Recipes",
                "TestLanes",
            ],
            swiftSettings: strict),
        .target(
            name: "ClusterSimulation",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveTree", "ConclaveStorage", "ConclaveSession",
                "ConclaveConsensus", "ConclaveNode", "ConclaveSimulator",
            ],
            path: "Tests/ClusterSimulation", swiftSettings: pure),
        .target(
            name: "RecipeSimulation",
            dependencies: [
                "ConclaveCore", "ConclaveWire", "ConclaveSession", "ConclaveClient", "Recipes", "ConclaveSimulator",
                "ClusterSimulation",
            ],
            path: "Tests/RecipeSimulation", exclude: ["README.md"], swiftSettings: strict),
        .executableTarget(
            name: "simulate", dependencies: ["ConclaveSimulator", "ClusterSimulation", "RecipeSimulation"],
            path: "Tests/Simulate", swiftSettings: strict),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["ConclaveCore", "ConclaveSimulator", "ClusterSimulation", "RecipeSimulation", "TestLanes"],
            swiftSettings: strict),
        .testTarget(
            name: "BenchmarkTests",
            dependencies: [
                "BenchmarkKit", "conclave-bench", "ConclaveCore", "ConclaveWire", "ConclaveSystem", "ConclaveServer",
                "TestLanes",
            ],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", dependencies: ["TestLanes"], swiftSettings: strict),
    ]
)
