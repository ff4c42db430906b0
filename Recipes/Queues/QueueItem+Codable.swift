// JSON at the edge: the only file of the folder that needs Foundation.
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension QueueItem where Self: Codable {
    /// Reads JSON.
    public init(queueBytes bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    }

    /// The item as JSON, keys sorted so that equal items give equal bytes.
    public func queueBytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }
}
