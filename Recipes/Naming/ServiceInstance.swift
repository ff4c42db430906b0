/// One instance of a service, as it makes itself known.
///
/// Its form in the store is the JSON of Curator's `ServiceDiscovery`, so that Java services see it and are seen:
///
/// ```json
/// {"address":"10.0.0.7","enabled":true,"id":"1f0e…","name":"orders","payload":{"zone":"b"},"port":8080,
///  "registrationTimeUTC":1767225600000,"serviceType":"DYNAMIC","sslPort":null,"uriSpec":null}
/// ```
///
/// Metadata that a Java service is to read as a class of its own needs a member `@class` that names it, as Jackson
/// writes it; without one Java sees a map.
public struct ServiceInstance<Metadata: Codable & Sendable>: Sendable {
    /// The name of the service.
    public var service: String
    /// The name of the instance, unique within the service; a UUID unless chosen.
    public var id: String
    /// Where it is reached: a host name or an address.
    public var address: String
    /// The port, if there is one without TLS.
    public var port: Int?
    /// The port that speaks TLS, if there is one.
    public var tlsPort: Int?
    /// What else it has to say.
    public var metadata: Metadata?
    /// When it was registered: milliseconds since 1970 by its own clock.
    public var registeredMilliseconds: Int64
    /// Whether it wants to be picked.
    public var isEnabled: Bool

    /// Describes an instance.
    ///
    /// - Parameter id: `nil` draws a UUID.
    public init(
        service: String, id: String? = nil, address: String, port: Int? = nil, tlsPort: Int? = nil,
        metadata: Metadata? = nil, registeredMilliseconds: Int64 = 0, isEnabled: Bool = true
    ) {
        var generator = SystemRandomNumberGenerator()
        self.service = service
        self.id = id ?? AttemptID(using: &generator).text
        self.address = address
        self.port = port
        self.tlsPort = tlsPort
        self.metadata = metadata
        self.registeredMilliseconds = registeredMilliseconds
        self.isEnabled = isEnabled
    }
}

extension ServiceInstance: Equatable where Metadata: Equatable {}
extension ServiceInstance: Hashable where Metadata: Hashable {}

extension ServiceInstance: Codable, ConfigurationValue {
    private enum CodingKeys: String, CodingKey {
        case service = "name"
        case id
        case address
        case port
        case tlsPort = "sslPort"
        case metadata = "payload"
        case registeredMilliseconds = "registrationTimeUTC"
        case isEnabled = "enabled"
        case kind = "serviceType"
        case uri = "uriSpec"
    }

    /// Reads the JSON of this type or of Curator; members that are not known are passed over.
    public init(from decoder: any Decoder) throws {
        let members = try decoder.container(keyedBy: CodingKeys.self)
        service = try members.decode(String.self, forKey: .service)
        id = try members.decode(String.self, forKey: .id)
        address = try members.decodeIfPresent(String.self, forKey: .address) ?? ""
        port = try members.decodeIfPresent(Int.self, forKey: .port)
        tlsPort = try members.decodeIfPresent(Int.self, forKey: .tlsPort)
        metadata = try members.decodeIfPresent(Metadata.self, forKey: .metadata)
        registeredMilliseconds = try members.decodeIfPresent(Int64.self, forKey: .registeredMilliseconds) ?? 0
        // Curator before 2.12 did not write it.
        isEnabled = try members.decodeIfPresent(Bool.self, forKey: .isEnabled) ?? true
    }

    /// Writes the members that Curator expects, `null` where there is nothing.
    public func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(service, forKey: .service)
        try members.encode(id, forKey: .id)
        try members.encode(address, forKey: .address)
        try members.encode(port, forKey: .port)
        try members.encode(tlsPort, forKey: .tlsPort)
        try members.encode(metadata, forKey: .metadata)
        try members.encode(registeredMilliseconds, forKey: .registeredMilliseconds)
        try members.encode("DYNAMIC", forKey: .kind)
        try members.encodeNil(forKey: .uri)
        try members.encode(isEnabled, forKey: .isEnabled)
    }
}
