import ConclaveCore
import ConclaveWire

/// Requests as frames, made once and sent often.
enum Frames {
    static func make(_ request: ClientRequest) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: 0, request)
        return writer.bytes
    }

    static func connect(_ timeoutMilliseconds: Int32, into writer: inout ByteWriter) {
        let start = writer.openLength()
        ConnectRequest(
            lastZxidSeen: Zxid(rawValue: 0), timeoutMilliseconds: timeoutMilliseconds, session: SessionID(rawValue: 0),
            password: [UInt8](repeating: 0, count: 16), readOnly: false
        ).encode(into: &writer)
        writer.closeLength(at: start)
    }

    /// A ping, with the xid that all pings have.
    static var ping: [UInt8] {
        var writer = ByteWriter()
        writer.writeRequestFrame(xid: ReservedXid.ping, .ping)
        return writer.bytes
    }

    static func create(_ path: String, _ data: [UInt8], _ mode: CreateMode = .persistent) -> ClientRequest {
        .create(CreateRequest(path: NodePath(path), data: data, acl: .open, mode: mode, wantsStat: false))
    }

    static func get(_ path: String, watch: Bool = false) -> ClientRequest {
        .getData(path: NodePath(path), watch: watch)
    }

    static func set(_ path: String, _ data: [UInt8]) -> ClientRequest {
        .setData(path: NodePath(path), data: data, version: -1)
    }

    /// A value of the usual size.
    static func value(_ bytes: Int = 100) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "v"), count: bytes) }
}
