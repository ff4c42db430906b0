public import ConclaveCore
import ConclaveSession
import ConclaveWire

extension ZooKeeperClient {
    /// Does all operations or none, at one zxid; each sees the effects of those before it.
    ///
    /// - Parameter operations: at most 10,000, together below the frame limit.
    /// - Returns: a result for each operation, in their order.
    /// - Throws: what the first operation that failed would have thrown, with its path, and its index in the message.
    @discardableResult
    public func transaction(_ operations: [Operation]) async throws(ZooKeeperError) -> [OperationResult] {
        guard operations.count <= FrameLimit.maximumMultiOperations else {
            throw ZooKeeperError(
                .badArguments,
                message: "transaction: \(operations.count) operations, \(FrameLimit.maximumMultiOperations) are allowed"
            )
        }
        var requests: [ClientRequest] = []
        requests.reserveCapacity(operations.count)
        for operation in operations { requests.append(try request(operation)) }
        let attempted = "transaction of \(operations.count) operations"
        let reply = try await shell.reply(to: .multi(requests), attempted, operations.first?.path)
        guard case .multi(let results) = reply else { throw shell.unexpected(reply, attempted, nil) }
        if let failure = MultiResult.firstFailure(in: results) {
            throw Self.failure(failure.code, at: failure.index, of: operations)
        }
        guard results.count == operations.count else { throw shell.unexpected(reply, attempted, nil) }
        var translated: [OperationResult] = []
        translated.reserveCapacity(results.count)
        for result in results {
            switch result {
            case .created(let path, let stat): translated.append(.created(path: chrootless(path), stat: stat))
            case .deleted: translated.append(.deleted)
            case .dataSet(let stat): translated.append(.dataSet(stat))
            case .checked: translated.append(.checked)
            case .data, .children, .failed: throw shell.unexpected(reply, attempted, nil)
            }
        }
        return translated
    }

    /// Reads several nodes with one request. They are not read at one moment, and one that fails does not affect the
    /// others.
    ///
    /// - Returns: a result for each read, in their order.
    public func read(_ reads: [ReadOperation]) async throws(ZooKeeperError) -> [ReadResult] {
        guard reads.count <= FrameLimit.maximumMultiOperations else {
            throw ZooKeeperError(
                .badArguments, message: "read: \(reads.count) reads, \(FrameLimit.maximumMultiOperations) are allowed")
        }
        var requests: [ClientRequest] = []
        requests.reserveCapacity(reads.count)
        for read in reads {
            let full = try shell.fullPath(read.path, for: "read")
            switch read {
            case .data: requests.append(.getData(path: full, watch: false))
            case .children: requests.append(.getChildren(path: full, watch: false))
            }
        }
        let attempted = "read of \(reads.count) nodes"
        let reply = try await shell.reply(to: .multiRead(requests), attempted, reads.first?.path)
        guard case .multi(let results) = reply, results.count == reads.count else {
            throw shell.unexpected(reply, attempted, nil)
        }
        return zip(reads, results).map { read, result in
            switch result {
            case .data(let data, let stat): .data(NodeData(data: data, stat: stat))
            case .children(let names): .children(names.sorted())
            case .failed(let code):
                .failed(ZooKeeperError(code, path: read.path, message: "read: \(code.explanation)"))
            case .created, .deleted, .dataSet, .checked:
                .failed(ZooKeeperError(.protocolViolation, path: read.path, message: "read: another answer came"))
            }
        }
    }

    private func request(_ operation: Operation) throws(ZooKeeperError) -> ClientRequest {
        switch operation {
        case .create(let path, let data, let mode, let acl):
            let full = try shell.fullPath(path, for: "create", sequential: mode.isSequential)
            return .create(CreateRequest(path: full, data: data, acl: acl, mode: mode, wantsStat: true))
        case .delete(let path, let version):
            return .delete(path: try shell.fullPath(path, for: "delete"), version: version ?? -1)
        case .setData(let path, let data, let version):
            return .setData(path: try shell.fullPath(path, for: "setData"), data: data, version: version ?? -1)
        case .check(let path, let version):
            return .check(path: try shell.fullPath(path, for: "check"), version: version ?? -1)
        }
    }

    private static func failure(
        _ code: ZooKeeperError.Code, at index: Int, of operations: [Operation]
    ) -> ZooKeeperError {
        guard operations.indices.contains(index) else {
            return ZooKeeperError(code, message: "transaction: \(code.explanation)")
        }
        let operation = operations[index]
        let name =
            switch operation {
            case .create: "create"
            case .delete: "delete"
            case .setData: "setData"
            case .check: "check"
            }
        let message = "transaction, operation \(index) of \(operations.count) (\(name)): \(code.explanation)"
        return ZooKeeperError(code, path: operation.path, message: message)
    }
}
