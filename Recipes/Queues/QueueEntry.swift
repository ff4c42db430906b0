/// An item that lies in a queue, as it was when it was read.
public struct QueueEntry: Hashable, Sendable {
    /// The name of its node.
    public let name: String
    /// The item's bytes.
    public let bytes: [UInt8]
    /// How often it was handed to a consumer.
    public let deliveries: Int
    /// When it was put, in milliseconds since 1970 by the server's clock.
    public let sinceMilliseconds: Int64
    /// The priority, or the moment from which it may be taken in milliseconds since 1970; `nil` in other queues.
    public let rank: Int64?
    /// The identity of the consumer that has it now; `nil` if it is free.
    public let consumer: String?
}
