import ConclaveCore

/// What servers and clients have in common: connections and deadlines.
///
/// A value that is told what happened and gives its orders to the `World` that comes along: it dials, sends, closes,
/// observes. It owns no clock and no random numbers but the world's. Handles of links come from the world and are never
/// used again.
package protocol SimulatedProcess {
    /// When `tick(world:)` is wanted, by the process's own clock.
    ///
    /// A mutating getter is asked in place; a plain one, which every conformer will have, would be asked of a copy of
    /// the whole process, after every event.
    var nextDeadline: Instant { mutating get }
    mutating func tick(world: inout World)

    /// A connection that this process dialled is there.
    mutating func dialled(_ link: Link, world: inout World)
    mutating func dialFailed(_ link: Link, world: inout World)
    mutating func received(_ bytes: Span<UInt8>, on link: Link, world: inout World)
    /// The other side, or the network, ended a connection. Not called for what the process itself closed.
    mutating func closed(_ link: Link, world: inout World)
    /// A link whose socket was full has room again; see ``World/hasRoom(_:)``.
    mutating func drained(_ link: Link, world: inout World)
}

extension SimulatedProcess {
    package mutating func drained(_ link: Link, world: inout World) {}
}

/// One server with its storage, as the simulator sees it.
///
/// Work for the storage thread is ordered with ``World/orderStorage(bytes:)``; when its time has come the simulator
/// calls `performStorage(world:)`, once for each order and in order. The disk is only touched there and at the start.
package protocol SimulatedServer: SimulatedProcess {
    /// What all servers of a cluster share.
    associatedtype Setup: Sendable

    /// Starts on the disk that the last end left. A server that cannot or will not start calls ``World/stop(_:)``; its
    /// disk is then taken back as it is. Reports what it found with ``Observation/recovered(through:)``.
    init(_ setup: Setup, disk: consuming SimulatedDisk, world: inout World)

    var disk: SimulatedDisk { get set }

    mutating func accepted(_ link: Link, on port: Port, world: inout World)
    /// Carries out the oldest order to storage and reacts to its report.
    mutating func performStorage(world: inout World)
}

/// One client with its workload.
package protocol SimulatedClient: SimulatedProcess {
    associatedtype Setup: Sendable
    /// Says what requests mean.
    associatedtype Model: ReferenceModel
    /// What the client did and believed, besides what it asked for; nothing unless a client has more to tell.
    associatedtype Journal: Sendable = Void

    init(_ setup: Setup, world: inout World)

    /// What was asked and answered so far.
    var record: ClientRecord<Model.Request, Model.Response, Model.WatchKey> { get }
    /// How many writes were answered with success or error; grows.
    var answeredWrites: Int { get }

    /// Ends the workload: no new requests but a last write and read, so that everything before is known to be over.
    mutating func finish(world: inout World)
    /// Whether everything is answered or given up after `finish(world:)`.
    var isFinished: Bool { get }
    /// What it still waits for then, in words.
    var unfinished: String { get }

    var journal: Journal { get }
    /// Judges what all clients did, at the end of a run in which nothing else was broken.
    static func judge(_ testimony: Testimony<Self>) -> Verdict
}

extension SimulatedClient {
    package var unfinished: String { "waits for answers" }

    package static func judge(_ testimony: Testimony<Self>) -> Verdict { Verdict() }
}

extension SimulatedClient where Journal == Void {
    package var journal: Void { () }
}
