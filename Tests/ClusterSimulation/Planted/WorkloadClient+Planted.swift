import ConclaveCore
import ConclaveSession
import ConclaveWire

/// Planted bugs of clients, which change what is sent.
extension WorkloadClient {
    mutating func tamper() {
        switch planted {
        case .forgetsLastZxid, .forgetsWatches, .forgetsLastingWatches, .repeatsLostWrites: break
        default: return
        }
        var writer = ByteWriter()
        var offset = 0
        while offset + 4 <= output.count {
            var reader = ByteReader(output, in: offset..<output.count)
            guard let length = try? reader.readInt32() else { break }
            let end = min(output.count, offset + 4 + Int(length))
            let frame = Array(output[offset..<end])
            offset = end
            if isFirstFrame, planted == .forgetsLastZxid {
                // length | version | last zxid seen …
                writer.writeRaw(frame[..<8])
                writer.writeInt64(0)
                writer.writeRaw(frame[16...])
                continue
            }
            let header = try? RequestHeader(from: &reader)
            if !isFirstFrame, planted == .forgetsWatches, header?.xid == ReservedXid.setWatches {
                writer.writeRequestFrame(
                    xid: ReservedXid.setWatches, .setWatches(SetWatches(relativeZxid: machine.lastZxidSeen)))
                continue
            }
            if !isFirstFrame, planted == .forgetsLastingWatches, header?.xid == ReservedXid.setWatches,
                var watches = try? SetWatches(.setWatches2, from: &reader)
            {
                (watches.persistent, watches.persistentRecursive) = ([], [])
                writer.writeRequestFrame(xid: ReservedXid.setWatches, .setWatches(watches))
                continue
            }
            writer.writeRaw(frame)
            guard !isFirstFrame, planted == .repeatsLostWrites, let header else { continue }
            if header.operation == .setData || header.operation == .create { lastWrite = (session, frame) }
        }
        output = writer.bytes
    }

    /// The write whose answer was lost, to be sent once more on the new connection.
    mutating func repeatedWrite() -> [UInt8] {
        guard planted == .repeatsLostWrites, let (owner, frame) = lastWrite, owner == session else { return [] }
        lastWrite = nil
        return frame
    }
}
