import ConclaveConsensus
import ConclaveCore

/// The keys and checks of ensembles.
extension ConfigurationParser {
    mutating func makeEnsemble(_ list: ServerList) throws(ZooKeeperError) {
        var list = list
        var listReader = dynamicList?.reader ?? reader
        let ensemble = try list.configuration(listReader)
        var settings = EnsembleSettings(configuration: ensemble)
        settings.standaloneEnabled = standaloneEnabled
        for (key, entry) in postponed {
            guard let effect = key.ensemble else { preconditionFailure("\(key.name) was postponed for nothing") }
            if let special = try reader.apply(effect, of: entry, to: &settings) {
                try apply(special, entry, to: &settings)
            }
        }
        try check(settings, list, listReader)
        if settings.localSessionsUpgradingEnabled, !settings.localSessionsEnabled {
            let key = "localSessionsUpgradingEnabled"
            reader.warn(line(of: key), "\(key)=true has no effect without localSessionsEnabled=true")
        }
        if dynamicList == nil {
            list.warn(ensemble, &reader)
        } else {
            list.warn(ensemble, &listReader)
            dynamicList = (list, listReader)
        }
        // An older one is what a crash left behind when the change had been activated.
        if let pending, pending.version > ensemble.version { settings.pending = pending }
        settings.clientPortIsChosen = line(of: "clientPort") > 0
        settings.clientAddressIsChosen = line(of: "clientPortAddress") > 0
        for key in ["clientPort", "clientPortAddress", "peerType"] where line(of: key) > 0 {
            settings.places[key] = "\(reader.file):\(line(of: key))"
        }
        for server in list.servers {
            settings.places["server.\(server.member.id)"] = "\(listReader.file):\(server.entry.line)"
        }
        configuration.ensemble = settings
    }

    private mutating func apply(
        _ special: EnsembleSettings.Special, _ entry: Properties.Entry, to settings: inout EnsembleSettings
    ) throws(ZooKeeperError) {
        switch special {
        case .peerType:
            guard let role = EnsembleMember.Role(rawValue: entry.value.lowercased()) else {
                throw reader.bad(entry, "must be participant or observer")
            }
            settings.expectedRole = role
        case .committedLogCount:
            settings.committedLogCount = try reader.raised(entry, to: 500, unit: "transactions")
        case .snapshotSizeFactor:
            guard let factor = Double(entry.value), factor.isFinite else { throw reader.bad(entry, "must be a number") }
            if factor > 1 {
                reader.warn(entry.line, "snapshotSizeFactor=\(entry.value): above 1 the default counts, 0.33")
            }
            settings.snapshotSizeFactor = factor > 1 ? 0.33 : factor
        }
    }

    private func check(
        _ settings: EnsembleSettings, _ list: ServerList, _ listReader: ValueReader
    ) throws(ZooKeeperError) {
        guard settings.initLimitTicks > 0 else {
            throw reader.missing("initLimit", "the ticks that servers have to find each other, for example 10")
        }
        guard settings.syncLimitTicks > 0 else {
            throw reader.missing("syncLimit", "the ticks after which a silent server counts as dead, for example 5")
        }
        guard settings.minimumNotificationMilliseconds <= settings.maximumNotificationMilliseconds else {
            let line = max(
                line(of: "fastleader.minNotificationInterval"), line(of: "fastleader.maxNotificationInterval"))
            let text = "fastleader.minNotificationInterval must not exceed fastleader.maxNotificationInterval"
            throw reader.error(at: line, text)
        }
        guard !settings.multipleAddressesEnabled else { return }
        if let server = list.servers.first(where: { $0.member.addresses.count > 1 }) {
            throw listReader.bad(server.entry, "several addresses need multiAddress.enabled=true")
        }
    }
}
