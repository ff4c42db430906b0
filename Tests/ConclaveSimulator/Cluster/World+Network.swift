import ConclaveCore

/// Connections as TCP gives them: bytes in order or the end, never lost or doubled in between.
///
/// A cut keeps bytes back, as retransmission does; what was sent arrives some time after the cut has been mended. A
/// process that is killed closes its connections, one that loses power does not: the other side is left with half a
/// connection and learns of it when it sends something after the machine is back.
extension World {
    // MARK: Orders of processes

    /// Dials a server; `dialled(_:)` or `dialFailed(_:)` follows, unless the link is closed before.
    package mutating func dial(_ process: Int, _ port: Port) -> Link {
        let line = takeLine(port)
        let (own, other) = (line * 2, line * 2 + 1)
        ends[own].state = .dialling
        ends[own].process = Int32(current)
        ends[other].state = .unused
        ends[other].process = Int32(process)
        let link = Link(line: line, side: 0, generation: lines[line].generation)
        guard !isMuted else { return link }
        lines[line].dialDeadline = time + options.network.connectTimeoutMilliseconds * 1_000_000
        queue.plan(.connectArrives, other, stamp: link.generation, at: time + delay(current, process))
        note("dials \(process) \(port) as \(link)")
        return link
    }

    /// Sends bytes; what is sent on a connection that is gone is lost without a word, as a socket does until it is
    /// read.
    package mutating func send(_ bytes: [UInt8], on link: Link) {
        guard !isMuted, !bytes.isEmpty, let own = openEnd(link) else { return }
        let other = own ^ 1
        let (from, to) = (Int(ends[own].process), Int(ends[other].process))
        var arrival = time + delay(from, to)
        guard ends[other].state == .open || ends[other].state == .dialling else {
            queue.plan(.bounced, own, stamp: link.generation, at: arrival)
            return
        }
        if bytes.count > 1, networkRandom.chance(perMille: options.network.splitsPerMille) {
            let cut = 1 + networkRandom.index(below: bytes.count - 1)
            enqueue(Array(bytes[..<cut]), at: arrival, to: other)
            arrival += delay(from, to)
            enqueue(Array(bytes[cut...]), at: arrival, to: other)
        } else {
            enqueue(bytes, at: arrival, to: other)
        }
    }

    /// Whether more may be sent without piling up; if not, `drained(_:)` follows when it may.
    package mutating func hasRoom(_ link: Link) -> Bool {
        guard let own = openEnd(link) else { return true }
        guard ends[own ^ 1].incomingBytes > options.network.windowBytes else { return true }
        ends[own ^ 1].senderWaits = true
        return false
    }

    /// Ends a connection, or gives up dialling. What was sent before still arrives; what arrives is thrown away.
    package mutating func close(_ link: Link) {
        guard !isMuted, ends.indices.contains(link.end), lines[link.end >> 1].generation == link.generation else {
            return
        }
        let own = link.end
        switch ends[own].state {
        case .unused, .closed: return
        case .dialling, .open: break
        }
        ends[own].state = .closed
        ends[own].discard()
        endOther(of: own, after: delay(Int(ends[own].process), Int(ends[own ^ 1].process)))
        recycle(own >> 1)
    }

    // MARK: Underneath

    /// How long a message takes from one process to another.
    mutating func delay(_ from: Int, _ to: Int) -> Int64 {
        let profile = options.network
        var delay = profile.minimumDelayMicroseconds * 1_000 + networkRandom.below(profile.jitterMicroseconds * 1_000)
        if networkRandom.chance(perMille: profile.spikesPerMille) {
            delay += networkRandom.below(profile.spikeMilliseconds * 1_000_000)
        }
        return delay + reach.extraDelay(from, to)
    }

    /// The position of the process's own end, if the connection is open there.
    func openEnd(_ link: Link) -> Int? {
        let end = link.end
        guard end < ends.count, lines[end >> 1].generation == link.generation, ends[end].state == .open else {
            return nil
        }
        return end
    }

    func link(atEnd end: Int) -> Link { Link(line: end >> 1, side: end & 1, generation: lines[end >> 1].generation) }

    private mutating func takeLine(_ port: Port) -> Int {
        if let line = freeLines.popLast() {
            lines[line].port = port
            return line
        }
        lines.append(Line(port: port))
        ends.append(LineEnd())
        ends.append(LineEnd())
        return lines.count - 1
    }

    /// Lets a line be used again once both sides are done with it.
    mutating func recycle(_ line: Int) {
        let (first, second) = (ends[line * 2].state, ends[line * 2 + 1].state)
        guard first == .closed || first == .unused, second == .closed || second == .unused else { return }
        lines[line].generation &+= 1
        ends[line * 2] = LineEnd()
        ends[line * 2 + 1] = LineEnd()
        freeLines.append(line)
    }

    private mutating func enqueue(_ bytes: [UInt8], isEnd: Bool = false, at time: Int64, to end: Int) {
        let arrival = max(time, ends[end].lastArrival)
        ends[end].lastArrival = arrival
        ends[end].incoming.append(LineEnd.Chunk(arrival: arrival, bytes: bytes, isEnd: isEnd))
        ends[end].incomingBytes += bytes.count
        planDelivery(to: end)
    }

    mutating func planDelivery(to end: Int) {
        guard !ends[end].isPlanned, !ends[end].isBlocked, ends[end].state == .open,
            let first = ends[end].incoming.first
        else { return }
        ends[end].isPlanned = true
        let arrival = max(first.arrival, ends[end].stalledUntil, time)
        queue.plan(.delivery, end, stamp: lines[end >> 1].generation, at: arrival)
    }

    /// Tells the other side of a connection that it has ended, behind everything that is on its way.
    mutating func endOther(of own: Int, after delay: Int64) {
        let other = own ^ 1
        switch ends[other].state {
        case .unused, .closed: ends[other].state = .closed
        case .dialling, .open: enqueue([], isEnd: true, at: time + delay, to: other)
        }
    }

    /// What has come for an end, if its time has come and nothing keeps it back.
    mutating func takeDelivery(to end: Int) -> LineEnd.Chunk? {
        ends[end].isPlanned = false
        guard ends[end].state == .open, let first = ends[end].incoming.first else { return nil }
        if max(first.arrival, ends[end].stalledUntil) > time {
            planDelivery(to: end)
            return nil
        }
        if reach.isCut(Int(ends[end ^ 1].process), Int(ends[end].process)) {
            ends[end].isBlocked = true
            return nil
        }
        guard var chunk = ends[end].incoming.popFirst() else { return nil }
        // What came meanwhile is read at once, now and then.
        while !chunk.isEnd, let next = ends[end].incoming.first, !next.isEnd, next.arrival <= time,
            networkRandom.chance(perMille: 600), let more = ends[end].incoming.popFirst()
        {
            chunk.bytes += more.bytes
        }
        ends[end].incomingBytes -= chunk.bytes.count
        if ends[end].senderWaits, ends[end].incomingBytes <= options.network.windowBytes / 2 {
            ends[end].senderWaits = false
            queue.plan(.drained, end ^ 1, stamp: lines[end >> 1].generation, at: time)
        }
        if chunk.isEnd {
            ends[end].state = .closed
            ends[end].discard()
        } else {
            planDelivery(to: end)
        }
        return chunk
    }

    /// Lets go what mended ways have kept back; each connection after a pause of its own.
    mutating func releaseBlocked() {
        for end in ends.indices where ends[end].isBlocked {
            let (from, to) = (Int(ends[end ^ 1].process), Int(ends[end].process))
            guard !reach.isCut(from, to) else { continue }
            ends[end].isBlocked = false
            ends[end].stalledUntil = max(ends[end].stalledUntil, time + networkRandom.below(400_000_000))
            planDelivery(to: end)
        }
    }
}
