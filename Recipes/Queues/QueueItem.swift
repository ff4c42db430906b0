/// A type whose values can be put into a queue.
///
/// Text and bytes are kept as they are; a type that is `Codable` needs only to name this protocol and is kept as JSON.
/// Others write the two conversions themselves.
public protocol QueueItem: Sendable {
    /// Reads an item from a node's data; throws what is wrong with it.
    init(queueBytes bytes: [UInt8]) throws

    /// The item as a node's data; at most the server's frame limit, 1 MiB unless configured otherwise.
    func queueBytes() throws -> [UInt8]
}

/// Data in a queue that is not an item of the wanted type.
public struct InvalidQueueItem: Error, Hashable, Sendable, CustomStringConvertible {
    /// A sentence for people, without the data itself.
    public let description: String

    /// Takes the sentence.
    public init(_ description: String) { self.description = description }
}

extension String: QueueItem {
    /// Reads UTF-8.
    public init(queueBytes bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw InvalidQueueItem("not UTF-8") }
        self = text
    }

    /// The text as UTF-8.
    public func queueBytes() throws -> [UInt8] { Array(utf8) }
}

extension [UInt8]: QueueItem {
    /// Takes the bytes as they are.
    public init(queueBytes bytes: [UInt8]) throws { self = bytes }

    /// The bytes as they are.
    public func queueBytes() throws -> [UInt8] { self }
}
