import ConclaveCore
import ConclaveNode
import ConclaveTree

/// `srvr`, `stat` and `mntr`.
extension AdminCommands {
    /// - Parameter clients: `nil` for `srvr`.
    static func serverStatistics(
        _ machine: ServerMachine, _ facts: AdminFacts, clients: [ConnectionReport]?
    ) -> String {
        var text = "Zookeeper version: \(ServerVersion.text)\n"
        if machine.role == .readOnly { text += "READ-ONLY mode; serving only read-only clients\n" }
        if let clients {
            text += "Clients:\n" + clients.map { briefLine($0) + "\n" }.joined() + "\n"
        }
        let latency = machine.statistics.latency
        text += "Latency min/avg/max: \(latency.minimum)/\(decimal(latency.average))/\(latency.maximum)\n"
        text += "Received: \(machine.statistics.received)\n"
        text += "Sent: \(machine.statistics.sent)\n"
        text += "Connections: \(machine.statistics.connections)\n"
        text += "Outstanding: \(machine.outstandingRequests)\n"
        text += "Zxid: \(machine.tree.lastProcessed)\n"
        text += "Mode: \(machine.role.modeName)\n"
        text += "Node count: \(reportedNodeCount(machine))\n"
        if machine.role == .leader, let sizes = facts.ensemble?.proposalSizes {
            text += "Proposal sizes last/min/max: \(sizes.last)/\(sizes.minimum)/\(sizes.maximum)\n"
        }
        return text
    }

    /// `zk_<key>\t<value>` lines. Only what this server really counts.
    static func monitor(_ machine: ServerMachine, _ facts: AdminFacts) -> String {
        let statistics = machine.statistics
        let storage = facts.storage
        var lines: [(String, String)] = [
            ("version", ServerVersion.text), ("server_state", machine.role.modeName),
            ("ephemerals_count", "\(machine.tree.ephemeralCount)"),
            ("num_alive_connections", "\(statistics.connections)"),
            ("avg_latency", decimal(statistics.latency.average)),
            ("outstanding_requests", "\(machine.outstandingRequests)"),
            ("znode_count", "\(reportedNodeCount(machine))"),
            ("global_sessions", "\(machine.tree.sessions.count)"), ("local_sessions", "\(machine.localSessionCount)"),
            ("non_mtls_remote_conn_count", "0"), ("non_mtls_local_conn_count", "0"),
            ("last_client_response_size", "\(statistics.lastResponseBytes)"),
            ("max_client_response_size", "\(statistics.largestResponseBytes)"),
            ("min_client_response_size", "\(statistics.smallestResponseBytes)"),
            ("packets_sent", "\(statistics.sent)"), ("packets_received", "\(statistics.received)"),
            ("connection_drop_probability", "0.0"), ("watch_count", "\(machine.watchCount)"),
            ("auth_failed_count", "\(statistics.authenticationFailures)"),
            ("min_latency", "\(statistics.latency.minimum)"), ("max_latency", "\(statistics.latency.maximum)"),
            ("max_file_descriptor_count", "\(facts.maximumDescriptors)"),
            ("open_file_descriptor_count", "\(facts.openDescriptors)"),
            // As with the nodes, the reference counts the root's name twice.
            ("approximate_data_size", "\(machine.tree.approximateDataSize + 1)"),
            ("uptime", "\(facts.now.milliseconds(since: facts.started))"), ("outstanding_tls_handshake", "0"),
            ("digest_mismatches_count", "\(statistics.digestMismatches)"),
            ("stale_sessions_expired", "\(statistics.sessionsExpired)"),
            ("snap_count", "\(storage.snapshots.count)"),
        ]
        if let ensemble = facts.ensemble { lines += members(ensemble, facts) }
        lines += summary("fsynctime", storage.syncs)
        lines += summary("snapshottime", storage.snapshots)
        lines += summary("startup_txns_loaded", storage.replayed)
        lines += summary("dbinittime", storage.loads)
        return lines.map { "zk_\($0)\t\($1)\n" }.joined()
    }

    /// The reference keeps the root under two names and counts both.
    private static func reportedNodeCount(_ machine: ServerMachine) -> Int { machine.tree.nodeCount + 1 }

    private static func summary(_ name: String, _ summary: StorageStatistics.Summary) -> [(String, String)] {
        [
            ("avg_" + name, decimal(summary.average)), ("min_" + name, "\(summary.minimum)"),
            ("max_" + name, "\(summary.maximum)"), ("cnt_" + name, "\(summary.count)"),
            ("sum_" + name, "\(summary.sum)"),
        ]
    }

    /// At least one and at most four decimals, as Java's formatter of the reference prints averages.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite else { return "0.0" }
        let scaled = Int64((value * 10_000).rounded())
        var fraction = String(scaled % 10_000)
        fraction = String(repeating: "0", count: 4 - fraction.count) + fraction
        while fraction.count > 1, fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(scaled / 10_000).\(fraction)"
    }
}
