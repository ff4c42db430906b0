import ConclaveCore

/// A transaction with the bytes it is logged and proposed as: header, record, and the digest where there is one.
///
/// The bytes are made once and shared by the log, all followers, and whoever catches up later. A class, because it goes from
/// queue to queue on its way: each place counts one reference instead of copying every field of the transaction.
package final class Proposal: Equatable, Sendable {
    package let zxid: Zxid
    /// As ``TransactionCodec`` writes it.
    package let body: [UInt8]
    package let transaction: Transaction

    /// Joins a transaction and its bytes, which the caller has just made or read.
    package init(_ transaction: Transaction, body: [UInt8]) {
        zxid = transaction.header.zxid
        self.body = body
        self.transaction = transaction
    }

    package convenience init(_ transaction: Transaction) {
        var writer = ByteWriter()
        TransactionCodec.encode(transaction, into: &writer)
        self.init(transaction, body: writer.bytes)
    }

    /// Reads the data of a PROPOSAL or INFORM.
    package convenience init(body: [UInt8]?) throws(DecodingError) {
        guard let body else { throw .null("proposal") }
        var reader = ByteReader(body)
        self.init(try TransactionCodec.decode(&reader), body: body)
    }

    package static func == (one: Proposal, other: Proposal) -> Bool {
        one === other || (one.body == other.body && one.transaction == other.transaction)
    }
}

/// The data of COMMITANDACTIVATE and INFORMANDACTIVATE: who leads under the new configuration, and to observers the
/// proposal itself.
///
/// ```
/// long designated leader | proposal, only in INFORMANDACTIVATE
/// ```
package struct Activation: Equatable, Sendable {
    package var leader: ServerID
    /// The body of the proposal; `nil` in COMMITANDACTIVATE.
    package var body: [UInt8]?

    package init(leader: ServerID, body: [UInt8]?) {
        self.leader = leader
        self.body = body
    }

    package init(_ data: [UInt8]?) throws(DecodingError) {
        let data = data ?? []
        var reader = ByteReader(data)
        leader = ServerID(rawValue: try reader.readInt64())
        body = reader.isAtEnd ? nil : Array(data[reader.offset...])
    }

    package var data: [UInt8] {
        var writer = ByteWriter(capacity: 8 + (body?.count ?? 0))
        writer.writeInt64(leader.rawValue)
        if let body { writer.writeRaw(body) }
        return writer.bytes
    }
}
