import ConclaveCore
import ConclaveTree
import ConclaveWire

/// Writes replies into the output of connections.
extension ServerMachine {
    /// Opens a reply; its body is then written into the connection's output and ``endReply(_:_:received:)`` closes it.
    ///
    /// Two calls instead of a closure, so that the body may read the tree without copying it.
    mutating func beginReply(
        _ slot: Int, xid: Int32, zxid: Zxid? = nil, error: ZooKeeperError.Code = .ok
    ) -> Int {
        let start = slots[slot].output.openLength()
        let zxid = zxid ?? tree.lastProcessed
        slots[slot].statistics.lastZxid = zxid
        ReplyHeader(xid: xid, zxid: zxid, error: error).encode(into: &slots[slot].output)
        return start
    }

    /// - Parameter received: when the request came, for the latency.
    mutating func endReply(_ slot: Int, _ start: Int, received: Instant) {
        slots[slot].output.closeLength(at: start)
        let latency = max(0, now.milliseconds(since: received))
        statistics.sent += 1
        statistics.latency.record(latency)
        statistics.recordResponse(bytes: slots[slot].output.count - start)
        slots[slot].statistics.sent += 1
        slots[slot].statistics.latency.record(latency)
        slots[slot].statistics.lastLatencyMilliseconds = latency
        slots[slot].statistics.lastResponse = now
        markDirty(slot)
    }

    mutating func reply(
        _ slot: Int, xid: Int32, zxid: Zxid? = nil, received: Instant, body: (inout ByteWriter) -> Void = { _ in }
    ) {
        let start = beginReply(slot, xid: xid, zxid: zxid)
        body(&slots[slot].output)
        endReply(slot, start, received: received)
    }

    mutating func replyFailure(
        _ slot: Int, xid: Int32, _ code: ZooKeeperError.Code, zxid: Zxid? = nil, received: Instant,
        body: (inout ByteWriter) -> Void = { _ in }
    ) {
        let start = beginReply(slot, xid: xid, zxid: zxid, error: code)
        body(&slots[slot].output)
        endReply(slot, start, received: received)
    }
    /// Writes an event to a watcher that may have gone since.
    mutating func sendEvent(_ kind: WatchEvent.Kind, path: NodePath, to watcher: UInt64) {
        guard let slot = slotIndex[ConnectionID(rawValue: watcher)], slots[slot].phase != .closing else { return }
        slots[slot].output.writeEventFrame(type: kind.rawValue, path: path)
        statistics.sent += 1
        slots[slot].statistics.sent += 1
        markDirty(slot)
        guard slots[slot].output.count <= options.outputLimitBytes else {
            // Nobody reads them: let go of the bytes with the connection.
            slots[slot].output = ByteWriter()
            return close(slot, .outputLimit(options.outputLimitBytes))
        }
    }
}

extension ServerStatistics {
    mutating func recordResponse(bytes: Int) {
        lastResponseBytes = bytes
        smallestResponseBytes = smallestResponseBytes < 0 ? bytes : min(smallestResponseBytes, bytes)
        largestResponseBytes = max(largestResponseBytes, bytes)
    }
}

extension OperationCode {
    /// The four letters by which `cons` names the operation.
    var shortName: String {
        switch self {
        case .notification: "NOTI"
        case .create, .create2, .createContainer, .createTTL: "CREA"
        case .delete, .deleteContainer: "DELE"
        case .exists: "EXIS"
        case .getData: "GETD"
        case .setData: "SETD"
        case .getACL: "GETA"
        case .setACL: "SETA"
        case .getChildren, .getChildren2: "GETC"
        case .sync: "SYNC"
        case .ping: "PING"
        case .check: "CHEC"
        case .multi: "MULT"
        case .multiRead: "MLTR"
        case .reconfig: "RECO"
        case .checkWatches: "CHKW"
        case .removeWatches: "REMW"
        case .setWatches: "SETW"
        case .setWatches2: "STW2"
        case .addWatch: "ADDW"
        case .getEphemerals: "GETE"
        case .getAllChildrenNumber: "GETACN"
        case .whoAmI: "HOMI"
        case .closeSession: "CLOS"
        default: "NA"
        }
    }
}
