/// A type whose values can be kept in a znode as configuration.
///
/// Text and bytes are kept as they are; a type that is `Codable` needs only to name this protocol and is kept as JSON.
/// Others write the two conversions themselves.
public protocol ConfigurationValue: Sendable {
    /// Reads a value from a node's data; throws what is wrong with it.
    init(configurationBytes bytes: [UInt8]) throws

    /// The value as a node's data; at most the server's frame limit, 1 MiB unless configured otherwise.
    func configurationBytes() throws -> [UInt8]
}

/// Data that is not a configuration value of the wanted type.
public struct InvalidConfiguration: Error, Hashable, Sendable, CustomStringConvertible {
    /// A sentence for people, without the data itself.
    public let description: String

    /// Takes the sentence.
    public init(_ description: String) { self.description = description }
}

extension String: ConfigurationValue {
    /// Reads UTF-8.
    public init(configurationBytes bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { throw InvalidConfiguration("not UTF-8") }
        self = text
    }

    /// The text as UTF-8.
    public func configurationBytes() throws -> [UInt8] { Array(utf8) }
}

extension [UInt8]: ConfigurationValue {
    /// Takes the bytes as they are.
    public init(configurationBytes bytes: [UInt8]) throws { self = bytes }

    /// The bytes as they are.
    public func configurationBytes() throws -> [UInt8] { self }
}
