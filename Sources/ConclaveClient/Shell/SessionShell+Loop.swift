import ConclaveCore
import ConclaveSession
import ConclaveSystem
import ConclaveTransport
import Synchronization

/// The loop's part: what happens is told to the machine, and what it wants is done.
extension SessionShell {
    func start() {
        loop.submit { self.handle { $0.start(now: self.loop.now) } }
    }

    // MARK: From the connection

    func received(_ link: UInt32, _ bytes: Span<UInt8>) {
        let now = loop.now
        state.withLock { state in
            state.machine.received(link, bytes, now: now)
            collect(&state)
        }
        perform()
    }

    func lost(_ link: Link, _ reason: String) {
        close(link)
        handle { $0.connectionLost(link.number, reason: reason, now: self.loop.now) }
    }

    func becameWritable(_ link: Link) {
        if let token = link.token { loop.update(token, to: .readable) }
        state.withLock { $0.unblocked() }
        flush()
    }

    /// A sender found the socket full.
    func awaitWritable() {
        if let token = side.link?.token { loop.update(token, to: [.readable, .writable]) }
    }

    /// The loop's thread is ending: there is nobody to carry the session on.
    func loopEnded() {
        handle { $0.abandon(reason: "the client's event loop has ended") }
    }

    // MARK: The machine

    func handle(_ event: (inout SessionMachine) -> Void) {
        state.withLock { state in
            event(&state.machine)
            collect(&state)
        }
        perform()
    }

    /// Under the lock: takes the machine's actions and, for those that concern tasks, whom they concern.
    private func collect(_ state: inout ShellState) {
        state.machine.takeActions(into: &side.actions)
        for action in side.actions {
            switch action {
            case .complete(let id, let outcome):
                if let waiter = state.waiters.complete(id, outcome) { side.resumptions.append((waiter, outcome)) }
            case .fire(let watcher, let event):
                guard let target = state.watches[watcher] else { continue }
                if case .once = target { state.watches[watcher] = nil }
                side.events.append((target, watcher, event))
            case .endWatch(let watcher, let code):
                if let target = state.watches.removeValue(forKey: watcher) { side.endings.append((target, code)) }
            case .changed(let status):
                let new = SessionState(status)
                for observer in state.observers.values { observer.yield(new) }
            case .resolve, .connect, .disconnect, .holdLapsed, .probe: break
            }
        }
    }

    /// Outside of the lock: resumes, tells and does, in order; then sends what the machine wrote and sets the timer.
    private func perform() {
        for (waiter, outcome) in side.resumptions { waiter.resume(returning: outcome) }
        side.resumptions.removeAll(keepingCapacity: true)
        tellWatches()
        // Nothing called from here comes back before it returns.
        for action in side.actions { perform(action) }
        side.actions.removeAll(keepingCapacity: true)
        flush()
        rearm()
    }

    private func tellWatches() {
        for (target, watcher, event) in side.events {
            switch target {
            case .once(let cell): cell.complete(.success(event))
            case .persistent(let queue): if !queue.append(event) { drop(watcher) }
            }
        }
        side.events.removeAll(keepingCapacity: true)
        for (target, code) in side.endings {
            let reason = code == .noWatcher ? "the watch was removed" : code.explanation
            let failure = WatchFailure(code: code, reason: reason)
            switch target {
            case .once(let cell): cell.complete(.failure(failure))
            case .persistent(let queue): queue.end(failure)
            }
        }
        side.endings.removeAll(keepingCapacity: true)
    }

    private func perform(_ action: SessionAction) {
        switch action {
        case .complete, .fire, .endWatch: break
        case .resolve(let attempt, let host): resolve(attempt, host)
        case .connect(let link, let address): connect(link, address)
        case .disconnect(let link): disconnect(link)
        case .holdLapsed: endHolds(.lapsed)
        case .probe(let host): probe(host)
        case .changed(let status):
            guard case .over = status else { return }
            sessionOver()
        }
    }

    // MARK: Connecting

    private func resolve(_ attempt: UInt32, _ host: HostAddress) {
        Resolver.resolveAside(host: host.host, port: host.port) { result in
            self.loop.submit {
                switch result {
                case .success(let addresses):
                    self.handle {
                        // An answer that comes too late must not replace the list in use.
                        if $0.isResolving(attempt) { self.side.addresses = addresses }
                        $0.resolved(attempt, addresses: addresses.count, now: self.loop.now)
                    }
                case .failure(let failure):
                    self.handle { $0.resolutionFailed(attempt, reason: failure.description, now: self.loop.now) }
                }
            }
        }
    }

    private func connect(_ link: UInt32, _ address: Int) {
        // The machine has its own, shorter deadline.
        let connector = Connector.connect(
            on: loop, to: side.addresses[address], timeoutMilliseconds: 60_000
        ) { [self] result in
            side.connector = nil
            switch result {
            case .success(let socket): open(link, SharedSocket(socket))
            case .failure(let error):
                handle { $0.connectionLost(link, reason: error.description, now: self.loop.now) }
            }
        }
        side.connector = (link, connector)
    }

    private func open(_ number: UInt32, _ socket: SharedSocket) {
        let link = Link(number, socket, shell: self)
        do throws(SystemError) {
            link.token = try loop.watch(socket.socket.descriptor, for: .readable, handler: link)
        } catch {
            return handle { $0.connectionLost(number, reason: error.description, now: self.loop.now) }
        }
        side.link = link
        state.withLock { $0.opened(socket) }
        handle { $0.connected(number, now: self.loop.now) }
    }

    private func disconnect(_ number: UInt32) {
        if let (link, connector) = side.connector, link == number {
            connector.cancel()
            side.connector = nil
        }
        if let link = side.link, link.number == number { close(link) }
    }

    private func close(_ link: Link) {
        if let token = link.token { loop.remove(token) }
        link.token = nil
        guard side.link === link else { return }
        side.link = nil
        state.withLock { $0.closed() }
    }

    private func probe(_ host: HostAddress) {
        Resolver.resolveAside(host: host.host, port: host.port) { result in
            self.loop.submit {
                guard case .success(let addresses) = result, let address = addresses.first else {
                    return self.handle { $0.probed(host, hasQuorum: false, now: self.loop.now) }
                }
                self.side.prober?.cancel()
                self.side.prober = Prober(loop: self.loop, address: address) { hasQuorum in
                    self.side.prober = nil
                    self.handle { $0.probed(host, hasQuorum: hasQuorum, now: self.loop.now) }
                }
            }
        }
    }

    // MARK: Time

    /// Sets the timer if the machine wants to be woken earlier than it is set to. A timer that comes too early costs
    /// one look.
    func rearm() {
        let deadline = state.withLock { $0.machine.nextDeadline }
        guard deadline < side.timerAt else { return }
        if let timer = side.timer { loop.cancel(timer) }
        side.timerAt = deadline
        side.timer = loop.schedule(at: deadline) { self.timerFired() }
    }

    private func timerFired() {
        side.timer = nil
        side.timerAt = .distantFuture
        handle { $0.tick(now: self.loop.now) }
    }

    // MARK: The end

    private func sessionOver() {
        if let timer = side.timer { loop.cancel(timer) }
        side.timer = nil
        side.prober?.cancel()
        side.prober = nil
        let (waiters, observers) = state.withLock { state in
            defer {
                state.endWaiters = []
                state.observers = [:]
            }
            return (state.endWaiters, Array(state.observers.values))
        }
        for waiter in waiters { waiter.resume() }
        for observer in observers { observer.finish() }
        endHolds(.sessionOver(overError(attempted: "hold", path: nil)))
    }
}
