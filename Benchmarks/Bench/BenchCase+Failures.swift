import BenchmarkKit

/// Servers that end or stand still while clients write.
extension BenchCase {
    static var failures: [BenchCase] {
        [
            ("leader-killed", "SIGKILL of the leader: the longest gap between acknowledged writes", true),
            ("leader-stopped", "SIGSTOP of the leader for five seconds: the longest gap", false),
            ("follower-killed", "SIGKILL of a follower: the longest gap", false),
        ].map { name, text, isQuick in
            BenchCase(
                name: name, section: .failures, text: text, unit: "ms", moreIsBetter: false, isQuick: isQuick,
                needsOwnServers: true
            ) { target in
                try await Availability(target, name).run()
            }
        }
    }
}
