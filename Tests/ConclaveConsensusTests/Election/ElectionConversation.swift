import ConclaveConsensus
import ConclaveCore
import ConclaveWire
import Testing

/// Words for tests that talk to one election machine, number 4 of five voters and an observer.
protocol ElectionConversation {
    var machine: ElectionMachine { get set }
    var now: Instant { get set }
}

extension ElectionConversation {
    static var five: String { (1...5).map { "server.\($0)=h\($0):1:2\n" }.joined() + "server.9=h9:1:2:observer" }

    static func fourth() throws -> ElectionMachine {
        ElectionMachine(
            options: EnsembleOptions(myID: ServerID(rawValue: 4)),
            configuration: try EnsembleConfiguration(text: five))
    }

    mutating func start(zxid: Int64, epoch: Int64 = 0, round: Int64 = 1) {
        while machine.round < round {
            machine.start(zxid: Zxid(rawValue: zxid), currentEpoch: epoch, now: now)
            if machine.round < round { _ = machine.takeActions() }
        }
        if round > 1 { _ = machine.takeActions() }
    }

    mutating func settleOnThree() {
        start(zxid: 7, round: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 1)
        hear(.following, leader: 3, zxid: 9, round: 6, epoch: 4, from: 2)
        hear(.leading, leader: 3, zxid: 9, round: 6, epoch: 4, from: 3)
        #expect(machine.takeActions().contains(.decided(leader: ServerID(rawValue: 3), state: .following)))
    }

    mutating func hear(
        _ state: PeerState, leader: Int64, zxid: Int64, round: Int64, epoch: Int64 = 0, from server: Int64
    ) {
        let heard = message(state, leader: leader, zxid: zxid, round: round, epoch: epoch)
        machine.received(heard, from: ServerID(rawValue: server), now: now)
    }

    mutating func wait(_ milliseconds: Int64) {
        now = now.advanced(byMilliseconds: milliseconds)
        machine.tick(now: now)
    }

    func message(
        _ state: PeerState, leader: Int64, zxid: Int64, round: Int64, epoch: Int64 = 0
    ) -> ElectionNotification {
        ElectionNotification(
            state: state, leader: ServerID(rawValue: leader), zxid: Zxid(rawValue: zxid), round: round,
            peerEpoch: epoch, configuration: Array(machine.configuration.text.utf8))
    }
}

extension ElectionNotification {
    func to(_ server: Int64) -> ElectionAction { .send(self, to: ServerID(rawValue: server)) }
}
