import ConclaveConsensus
import ConclaveCore
import ConclaveWire

func zxid(_ epoch: UInt32, _ counter: UInt32) -> Zxid { Zxid(epoch: epoch, counter: counter) }

func proposal(_ epoch: UInt32, _ counter: UInt32, data: [UInt8] = []) -> Proposal {
    Proposal(
        Transaction(
            header: TransactionHeader(
                session: SessionID(rawValue: 7), cxid: 1, zxid: zxid(epoch, counter), timeMilliseconds: 0),
            change: .setData(path: NodePath(utf8: Array("/a".utf8)), data: data, version: 1)))
}

/// A log with ranges of counters, one for each epoch.
func makeLog(after floor: Zxid, _ parts: (epoch: UInt32, counters: ClosedRange<UInt32>)...) -> CommittedLog {
    var log = CommittedLog(after: floor, countLimit: 100_000, byteLimit: 1 << 30)
    for part in parts {
        for counter in part.counters { log.append(proposal(part.epoch, counter)) }
    }
    return log
}

func server(_ number: Int64) -> ServerID { ServerID(rawValue: number) }

/// Servers of one ensemble on ports of their own.
func ensemble(voters: [Int64], observers: [Int64] = [], version: Int64 = 0) throws -> EnsembleConfiguration {
    let members = (voters + observers).map { number in
        EnsembleMember(
            id: server(number),
            addresses: [
                EnsembleMember.Address(
                    host: "127.0.0.1", quorumPort: 2000 + Int(number), electionPort: 3000 + Int(number))
            ],
            role: observers.contains(number) ? .observer : .participant)
    }
    return try EnsembleConfiguration(members: members, version: version)
}
