// The only file of the module that needs Foundation: JSON at the edge.
#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

extension ConfigurationValue where Self: Codable {
    /// Reads JSON.
    public init(configurationBytes bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(bytes))
    }

    /// The value as JSON, keys sorted so that equal values give equal bytes.
    public func configurationBytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self))
    }
}
