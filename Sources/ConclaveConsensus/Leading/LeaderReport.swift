import ConclaveCore

/// What operators ask a leader for.
package struct LeaderReport: Equatable, Sendable {
    /// Connections of learners, of whatever kind and however far they are.
    package var learners = 0
    package var syncedFollowers = 0
    package var syncedObservers = 0
    /// Followers that are up to date and in no list of voters.
    package var syncedNonVoters = 0
    package var pendingSyncs = 0
    package var started = Instant.start
}

extension LeaderMachine {
    /// Followers that are up to date, voters or not, and this server.
    package var syncedServers: [ServerID] {
        [options.myID] + learners.filter { $0.stage == .serving && !$0.isObserver }.map(\.serverID)
    }

    package var report: LeaderReport {
        var report = LeaderReport()
        report.started = started
        for learner in learners where learner.stage < .closed {
            report.learners += 1
            for syncs in learner.syncs { report.pendingSyncs += syncs.count }
            guard learner.stage == .serving else { continue }
            if learner.isObserver {
                report.syncedObservers += 1
            } else if configuration.isVoter(learner.serverID) {
                report.syncedFollowers += 1
            } else {
                report.syncedNonVoters += 1
            }
        }
        return report
    }
}
