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
    targets: [
        // The pure ring: no clock, lock, task, file or socket.
        .target(name: "ConclaveCore", swiftSettings: pure),
    ]
)
