import ConclaveCore

/// Tells the processes what happens.
extension Simulation {
    mutating func dispatch(_ planned: EventQueue.Planned) {
        let event = planned.event
        let index = Int(event.index)
        switch event.kind {
        case .delivery, .accepted, .dialSucceeds, .dialFails, .bounced, .drained:
            guard world.lines[index >> 1].generation == event.stamp else { return }
            let process = Int(world.ends[index].process)
            guard isAwake(process, planned) else { return }
            tell(event.kind, end: index, process)
        case .connectArrives:
            guard world.lines[index >> 1].generation == event.stamp else { return }
            world.connectArrives(at: index, stamp: event.stamp)
        case .timer:
            guard event.stamp == world.processes[index].incarnation, world.processes[index].isUp else { return }
            // A later timer event was overtaken by an earlier one.
            guard planned.time == world.processes[index].timerAt else { return }
            guard isAwake(index, planned) else { return }
            world.processes[index].timerAt = .max
            tick(index)
        case .storage:
            guard event.stamp == world.processes[index].incarnation, world.processes[index].isUp else { return }
            guard isAwake(index, planned) else { return }
            world.processes[index].storageOrders -= 1
            world.digest.mix(UInt64(index) | 0x5300)
            world.current = index
            servers[index]?.performStorage(world: &world)
            attend(index)
        case .fault: begin(fault: index)
        case .faultEnds: end(fault: index)
        case .restart: start(index)
        case .crash:
            guard event.stamp == world.processes[index].incarnation, phase == .safety else { return }
            let restart = world.time + world.networkRandom.below(100_000_000)
            end(index, powerLoss: false, survival: .processOnly, restartAt: restart)
        case .phase: advancePhase()
        }
    }

    /// Whether a process can be told something; if it is paused, the event comes again when it goes on.
    private mutating func isAwake(_ process: Int, _ planned: EventQueue.Planned) -> Bool {
        let until = world.processes[process].pausedUntil
        guard until > world.time else { return true }
        guard planned.event.kind == .timer else {
            world.queue.postpone(planned, to: until)
            return false
        }
        // Whoever wakes up may look at its timers first, or at what has come meanwhile.
        let at = until + (world.networkRandom.chance(perMille: 500) ? world.networkRandom.below(2_000_000) : 0)
        world.processes[process].timerAt = at
        world.queue.postpone(planned, to: at)
        return false
    }

    private mutating func tick(_ process: Int) {
        let now = world.processes[process].clock.instant(at: world.time)
        world.current = process
        if isServer.contains(process) {
            if let deadline = servers[process]?.nextDeadline, deadline <= now {
                world.digest.mix(UInt64(world.time))
                servers[process]?.tick(world: &world)
            }
        } else if let deadline = clients[process - options.servers]?.nextDeadline, deadline <= now {
            world.digest.mix(UInt64(world.time))
            clients[process - options.servers]?.tick(world: &world)
        }
        attend(process)
    }

    private mutating func tell(_ kind: EventQueue.Event.Kind, end: Int, _ process: Int) {
        let link = world.link(atEnd: end)
        world.current = process
        switch kind {
        case .delivery:
            guard let chunk = world.takeDelivery(to: end) else { return }
            world.digest.mix(UInt64(world.time))
            world.digest.mix(link.rawValue)
            if chunk.isEnd {
                world.recycle(end >> 1)
                tellClosed(link, process)
            } else {
                world.digest.mix(chunk.bytes)
                world.note("\(link) received \(chunk.bytes.count) bytes")
                if isServer.contains(process) {
                    servers[process]?.received(chunk.bytes.span, on: link, world: &world)
                } else {
                    clients[process - options.servers]?.received(chunk.bytes.span, on: link, world: &world)
                }
            }
        case .accepted:
            guard world.ends[end].state == .open, isServer.contains(process) else { return }
            let port = world.lines[end >> 1].port
            world.note("\(link) accepted on \(port)")
            servers[process]?.accepted(link, on: port, world: &world)
        case .dialSucceeds, .dialFails:
            let succeeded = kind == .dialSucceeds
            guard world.completeDial(of: end, succeeded: succeeded) else { return }
            world.note("\(link) \(succeeded ? "connected" : "could not be connected")")
            tellDialled(link, succeeded, process)
        case .bounced:
            guard world.bounce(to: end) else { return }
            world.recycle(end >> 1)
            tellClosed(link, process)
        case .drained:
            guard world.ends[end].state == .open else { return }
            if isServer.contains(process) {
                servers[process]?.drained(link, world: &world)
            } else {
                clients[process - options.servers]?.drained(link, world: &world)
            }
        case .connectArrives, .timer, .storage, .fault, .faultEnds, .restart, .crash, .phase:
            preconditionFailure("\(kind) does not concern a link")
        }
        attend(process)
    }

    private mutating func tellClosed(_ link: Link, _ process: Int) {
        world.note("\(link) closed by the other side")
        if isServer.contains(process) {
            servers[process]?.closed(link, world: &world)
        } else {
            clients[process - options.servers]?.closed(link, world: &world)
        }
    }

    private mutating func tellDialled(_ link: Link, _ succeeded: Bool, _ process: Int) {
        if isServer.contains(process) {
            if succeeded {
                servers[process]?.dialled(link, world: &world)
            } else {
                servers[process]?.dialFailed(link, world: &world)
            }
        } else if succeeded {
            clients[process - options.servers]?.dialled(link, world: &world)
        } else {
            clients[process - options.servers]?.dialFailed(link, world: &world)
        }
    }
}
