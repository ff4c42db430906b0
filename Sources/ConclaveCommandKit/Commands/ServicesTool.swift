import ConclaveClient
import ConclaveCore
import Recipes

/// `conclave services`: registers instances of services and finds them.
package enum ServicesTool: ToolCommand {
    static let base = OptionSpecification("--path", value: "PATH", help: "where services are kept, /services")
    static let id = OptionSpecification("--id", value: "ID", help: "register: the name of the instance, a UUID")
    static let meta = OptionSpecification(
        "--meta", value: "KEY=VALUE", repeats: true, help: "register: what else there is to say of the instance")
    static let json = OptionSpecification("--json", help: "one JSON object a line")
    static let count = OptionSpecification("--count", value: "NUMBER", help: "watch: end after so many pictures")
    static let timeout = OptionSpecification(
        "--timeout", value: "TIME", help: "register, pick: how long to try, forever and 5s")

    private static let actions = ["register", "list", "watch", "pick"]

    package static let specification = CommandSpecification(
        "services", summary: "register instances of services and find them",
        usage: "register|list|watch|pick [SERVICE] [ADDRESS[:PORT]] [OPTIONS]",
        details: """
            register SERVICE ADDRESS[:PORT] makes an instance known for as long as this process runs; when its session \
            is lost it registers again with a new one. list prints the services, \
            or the instances of SERVICE. watch prints the instances of SERVICE whenever they have changed. pick prints one \
            enabled instance of SERVICE, any; status 4 if there is none. An IPv6 address with a port stands in brackets.

            The nodes are those of Curator's ServiceDiscovery.

              conclave services register orders 10.0.0.7:8080 --meta zone=b &
              curl "http://$(conclave services pick orders)/health"
            """,
        options: [base, id, meta, json, count, timeout] + ConnectionOptions.all, arguments: 1...3,
        statuses: ConnectionOptions.statuses + [(ExitCode.notAcquired, "there is no enabled instance")])

    typealias Directory = Services<[String: String]>
    typealias Instance = ServiceInstance<[String: String]>

    package static func run(_ arguments: Arguments, _ context: ToolContext) async throws -> Int32 {
        let action = arguments.positional[0]
        guard actions.contains(action) else {
            let hint = NearestName.suggestion(for: action, among: actions).map { "; did you mean \($0)?" } ?? ""
            throw UsageError("\"\(action)\" is neither register, list, watch nor pick\(hint)")
        }
        let words = arguments.positional.count
        let wanted = action == "register" ? 3...3 : action == "list" ? 1...2 : 2...2
        guard wanted.contains(words) else {
            throw UsageError(action == "register" ? "register takes SERVICE ADDRESS[:PORT]" : "\(action) takes SERVICE")
        }
        if action == "register" { return try await register(try instance(arguments), arguments, context) }
        let limit = try arguments.integer(count, in: 1...Int.max)
        let patience = try arguments.duration(timeout) ?? .seconds(5)
        return try await ConnectionOptions.withClient(arguments, context) { client in
            let services = Directory(client, at: arguments.text(base) ?? "/services")
            switch action {
            case "list" where words == 1:
                for name in try await services.names() { context.console.line(name) }
            case "list":
                show(try await services.instances(of: arguments.positional[1]), arguments, context)
            case "watch":
                try await watch(services.directory(of: arguments.positional[1]), limit, arguments, context)
            default:
                return try await pick(services.directory(of: arguments.positional[1]), patience, arguments, context)
            }
            return ExitCode.success
        }
    }

    // MARK: - Registering

    private static func instance(_ arguments: Arguments) throws(UsageError) -> Instance {
        let place = try place(arguments.positional[2])
        var metadata: [String: String] = [:]
        for pair in arguments.texts(meta) {
            guard let mark = pair.firstIndex(of: "=") else { throw UsageError("\(meta.name) must look like KEY=VALUE") }
            metadata[String(pair[..<mark])] = String(pair[pair.index(after: mark)...])
        }
        return Instance(
            service: arguments.positional[1], id: arguments.text(id), address: place.address, port: place.port,
            metadata: metadata.isEmpty ? nil : metadata)
    }

    /// Takes `host`, `host:port`, `[address]:port` or a bare IPv6 address apart.
    package static func place(_ text: String) throws(UsageError) -> (address: String, port: Int?) {
        let refusal = UsageError("\"\(text)\" must look like ADDRESS or ADDRESS:PORT")
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw refusal }
            let address = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (address, nil) }
            guard rest.first == ":", let port = UInt16(rest.dropFirst()) else { throw refusal }
            return (address, Int(port))
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if parts.count > 2 { return (text, nil) }
        guard let host = parts.first, !host.isEmpty else { throw refusal }
        guard parts.count == 2 else { return (text, nil) }
        guard let port = UInt16(parts[1]) else { throw refusal }
        return (String(host), Int(port))
    }

    /// Stays registered until it is interrupted; a session that is lost is followed by the next.
    private static func register(
        _ instance: Instance, _ arguments: Arguments, _ context: ToolContext
    ) async throws -> Int32 {
        let patience = try arguments.duration(timeout)
        while true {
            let ending = try await ConnectionOptions.withClient(arguments, context) { client in
                let services = Directory(client, at: arguments.text(base) ?? "/services")
                return try await services.withRegistration(instance, timeout: patience) { registration in
                    context.console.line(
                        arguments.has(json) ? json(registration.instance).text : "registered \(registration.path)")
                    return try await registration.ended()
                }
            }
            switch ending {
            case .released: return ExitCode.success
            case .replaced: throw ToolFailure("another client has registered \(instance.id)")
            case .failed(let error):
                guard error.isSessionOver, !Task.isCancelled else { throw error }
                context.console.errorLine("the session is over; registering again")
            }
        }
    }

    // MARK: - Finding

    private static func watch(
        _ directory: ServiceDirectory<[String: String]>, _ limit: Int?, _ arguments: Arguments, _ context: ToolContext
    ) async throws {
        var shown = 0
        for try await instances in directory.updates {
            if !arguments.has(json) {
                context.console.line(context.console.style.dim("\(instances.count) registered"))
            }
            show(instances, arguments, context)
            shown += 1
            if shown == limit { return }
        }
    }

    private static func pick(
        _ directory: ServiceDirectory<[String: String]>, _ patience: Duration, _ arguments: Arguments,
        _ context: ToolContext
    ) async throws -> Int32 {
        try await directory.ready(timeout: patience)
        guard let instance = ServicePicker(directory, .random).pick() else {
            context.console.errorLine("conclave services: there is no enabled instance of \(arguments.positional[1])")
            return ExitCode.notAcquired
        }
        context.console.line(arguments.has(json) ? json(instance).text : place(of: instance))
        return ExitCode.success
    }

    private static func show(_ instances: [Instance], _ arguments: Arguments, _ context: ToolContext) {
        if arguments.has(json) {
            for instance in instances { context.console.line(json(instance).text) }
            return
        }
        let rows = instances.map { instance in
            let metadata = (instance.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return [instance.id, place(of: instance), instance.isEnabled ? "" : "disabled"] + metadata
        }
        for line in Columns.table(rows) { context.console.line(line) }
    }

    private static func place(of instance: Instance) -> String {
        guard let port = instance.port ?? instance.tlsPort else { return instance.address }
        return instance.address.contains(":") ? "[\(instance.address)]:\(port)" : "\(instance.address):\(port)"
    }

    private static func json(_ instance: Instance) -> JSON {
        let metadata = (instance.metadata ?? [:]).sorted { $0.key < $1.key }.map { ($0.key, JSON.string($0.value)) }
        return .object([
            ("service", .string(instance.service)), ("id", .string(instance.id)),
            ("address", .string(instance.address)),
            ("port", instance.port.map { .integer(Int64($0)) } ?? .null),
            ("tlsPort", instance.tlsPort.map { .integer(Int64($0)) } ?? .null), ("enabled", .bool(instance.isEnabled)),
            ("registered", .integer(instance.registeredMilliseconds)), ("metadata", .object(metadata)),
        ])
    }
}
