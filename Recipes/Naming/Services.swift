public import ConclaveClient
public import ConclaveCore
import ConclaveSystem

/// Services by name: instances register, clients find them.
///
/// ```swift
/// let services = Services<[String: String]>(client, at: "/services")
/// let registration = try await services.register(
///     ServiceInstance(service: "orders", address: "10.0.0.7", port: 8080, metadata: ["zone": "b"]))
///
/// let orders = services.directory(of: "orders")
/// try await orders.ready()
/// let picker = ServicePicker(orders, .leastUsed)
/// try await picker.withInstance { instance in try await call(instance.address, instance.port) }
/// ```
///
/// - **Guarantee**: a registration is seen as long as its session lives and it is not given up; of two that use the
///   same id the later one is seen and the earlier one ends. What ``directory(of:)`` shows is a picture of the past.
/// - **Layout**: `<path>/<service>/<id>`, ephemeral, the JSON of Curator's `ServiceDiscovery`; containers above.
/// - **Lost connections** are waited out; a node that somebody removes is made again.
/// - **Session loss**: the server removes the node and ``ServiceRegistration/ended()`` tells. A new session registers
///   anew: connect again in a loop around it.
/// - **Cancellation** while registering leaves nothing behind.
/// - **Cost**: 1 request to register and 1 for the watch on the own node; a directory as ``ChildrenCache``.
/// - **Source**: Curator's `ServiceDiscovery`.
public struct Services<Metadata: Codable & Sendable>: Sendable {
    let client: ZooKeeperClient
    let path: String
    private let acl: [ACL]
    private let cleaner: Cleaner

    /// Services below a path, which is made when the first instance registers.
    ///
    /// - Parameters:
    ///   - client: the session that registers and looks.
    ///   - path: Curator's base path.
    ///   - acl: the access control list of the nodes that this creates.
    public init(_ client: ZooKeeperClient, at path: String, acl: [ACL] = .open) {
        self.client = client
        self.path = path
        self.acl = acl
        cleaner = Cleaner(client)
    }

    // MARK: - Registering

    /// Registers an instance until it is released, the handle is dropped or the session is over.
    ///
    /// - Parameters:
    ///   - instance: its ``ServiceInstance/registeredMilliseconds`` becomes the present time if it is 0.
    ///   - timeout: how long to try at most; `nil` tries until it is done.
    /// - Throws: `badArguments` if name or id cannot be part of a path, what the metadata's encoding throws,
    ///   `deadlineExceeded`, `cancelled`, `sessionExpired` or what a request threw; then nothing stays behind.
    public func register(
        _ instance: ServiceInstance<Metadata>, timeout: Duration? = nil
    ) async throws -> ServiceRegistration<Metadata> {
        var instance = instance
        if instance.registeredMilliseconds == 0 {
            instance.registeredMilliseconds = SystemClock.wallTime().milliseconds
        }
        for name in [instance.service, instance.id] where name.isEmpty || name.contains("/") {
            throw ZooKeeperError(.badArguments, path: path, message: "a name of a service or instance has no slash")
        }
        let parent = NodePath.text(of: instance.service, below: path)
        let registration = try ServiceRegistration(
            instance, client: client, cleaner: cleaner, path: NodePath.text(of: instance.id, below: parent), acl: acl)
        try await registration.begin(.init(after: timeout))
        return registration
    }

    /// Registers an instance, runs the body, gives the registration up.
    ///
    /// The body is not cancelled when the registration ends early: being found is no exclusive right.
    public func withRegistration<R: Sendable>(
        _ instance: ServiceInstance<Metadata>, timeout: Duration? = nil,
        _ body: @Sendable (ServiceRegistration<Metadata>) async throws -> R
    ) async throws -> R {
        let registration = try await register(instance, timeout: timeout)
        do {
            let result = try await body(registration)
            await registration.release()
            return result
        } catch {
            await registration.release()
            throw error
        }
    }

    // MARK: - Finding

    /// The names of services that have or had instances, sorted. Cost: one request.
    public func names() async throws(ZooKeeperError) -> [String] { try await names(below: path) }

    /// The instances of a service that are registered now, in the order of their ids; those that cannot be read as
    /// this type are left out.
    ///
    /// - Cost: one request, and one for each hundred instances.
    public func instances(of service: String) async throws(ZooKeeperError) -> [ServiceInstance<Metadata>] {
        let parent = NodePath.text(of: service, below: path)
        let nodes = try await client.dataOfMany(
            try await names(below: parent).map { NodePath.text(of: $0, below: parent) })
        return nodes.compactMap { node in
            // What is no instance of this kind is somebody else's business.
            node.flatMap { try? ServiceInstance<Metadata>(configurationBytes: $0.bytes) }
        }
    }

    /// The instances of a service, kept at hand.
    public func directory(of service: String, limits: CacheLimits = CacheLimits()) -> ServiceDirectory<Metadata> {
        ServiceDirectory(client, at: NodePath.text(of: service, below: path), limits: limits)
    }

    /// Returns when every node given up so far has been removed, or the session is over.
    package func waitUntilClean() async { await cleaner.waitUntilIdle() }

    private func names(below parent: String) async throws(ZooKeeperError) -> [String] {
        do {
            return try await client.children(of: parent).names
        } catch let error where error.code == .noNode {
            return []
        }
    }
}
