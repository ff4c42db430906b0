import ConclaveCore

/// How connections come about and how machines lose them: the part of the network that no process orders.
extension World {
    /// What the machine that is dialled does; its process learns of it later.
    mutating func connectArrives(at end: Int, stamp: UInt32) {
        let line = end >> 1
        let own = end ^ 1
        guard ends[own].state == .dialling, ends[end].state == .unused else { return }
        let (from, to) = (Int(ends[own].process), Int(ends[end].process))
        guard processes[to].isMachineUp, !reach.isCut(from, to), !reach.isCut(to, from) else {
            let retry = time + options.network.connectRetryMilliseconds * 1_000_000
            if retry < lines[line].dialDeadline {
                queue.plan(.connectArrives, end, stamp: stamp, at: retry)
            } else {
                queue.plan(.dialFails, own, stamp: stamp, at: max(time, lines[line].dialDeadline))
            }
            return
        }
        let answer = time + delay(to, from)
        guard processes[to].isUp, processes[to].listening & (1 << lines[line].port.rawValue) != 0 else {
            queue.plan(.dialFails, own, stamp: stamp, at: answer)
            return
        }
        ends[end].state = .open
        // Nothing overtakes the news that the connection is there.
        ends[own].lastArrival = answer
        queue.plan(.accepted, end, stamp: stamp, at: time)
        queue.plan(.dialSucceeds, own, stamp: stamp, at: answer)
    }

    /// - Returns: whether the process is to be told.
    mutating func completeDial(of end: Int, succeeded: Bool) -> Bool {
        guard ends[end].state == .dialling else { return false }
        if succeeded {
            ends[end].state = .open
            planDelivery(to: end)
        } else {
            ends[end].state = .closed
            recycle(end >> 1)
        }
        return true
    }

    /// Something was sent to a side that is gone. A machine that is up answers with a reset, another not at all.
    /// - Returns: whether the sender is to be told.
    mutating func bounce(to end: Int) -> Bool {
        let (own, other) = (Int(ends[end].process), Int(ends[end ^ 1].process))
        guard ends[end].state == .open, processes[other].isMachineUp, !reach.isCut(own, other),
            !reach.isCut(other, own)
        else { return false }
        ends[end].state = .closed
        ends[end].discard()
        return true
    }

    /// Breaks a connection for both sides; what is on its way is lost.
    mutating func reset(line: Int) {
        guard ends[line * 2].state == .open, ends[line * 2 + 1].state == .open else { return }
        for end in [line * 2, line * 2 + 1] {
            ends[end].discard()
            ends[end].lastArrival = time
            // As if the other side had closed.
            endOther(of: end ^ 1, after: networkRandom.below(1_000_000))
        }
    }

    /// Takes all connections from a process that is no more.
    ///
    /// - Parameter silently: nobody closes them: the machine has lost its power.
    mutating func loseConnections(of process: Int, silently: Bool) {
        for end in ends.indices where Int(ends[end].process) == process {
            guard ends[end].state == .open || ends[end].state == .dialling else { continue }
            let wasDialling = ends[end].state == .dialling
            ends[end].state = .closed
            ends[end].discard()
            if !silently || wasDialling {
                // What the process had not read makes its machine answer with a reset, which drops what is on its way.
                if networkRandom.chance(perMille: 300) { ends[end ^ 1].discard() }
                endOther(of: end, after: delay(process, Int(ends[end ^ 1].process)))
            }
            recycle(end >> 1)
        }
    }

    /// The lines that are open at both ends, in order; `between` leaves out those of other processes.
    func openLines(of process: Int? = nil) -> [Int] {
        lines.indices.filter { line in
            let (first, second) = (ends[line * 2], ends[line * 2 + 1])
            guard first.state == .open, second.state == .open else { return false }
            guard let process else { return true }
            return Int(first.process) == process || Int(second.process) == process
        }
    }
}
