import ConclaveCore

/// The result of one part of a multi or a multiRead.
package enum MultiResult: Equatable, Sendable {
    /// Travels as create without a stat, as create2 with one.
    case created(path: String, stat: Stat?)
    case deleted
    case dataSet(Stat)
    case checked
    case data([UInt8]?, Stat)
    case children([String])
    /// `.ok` for the parts before the one that failed.
    case failed(ZooKeeperError.Code)

    /// The code that stands for the result in its header.
    package var type: OperationCode {
        switch self {
        case .created(_, let stat): stat == nil ? .create : .create2
        case .deleted: .delete
        case .dataSet: .setData
        case .checked: .check
        case .data: .getData
        case .children: .getChildren
        case .failed: .error
        }
    }

    /// The results of a multi of which one part failed: the parts before it carry `.ok`, those after it
    /// `.runtimeInconsistency`.
    package static func failures(count: Int, failedAt index: Int, _ code: ZooKeeperError.Code) -> [MultiResult] {
        (0..<max(count, 0)).map { part in
            .failed(part < index ? .ok : part == index ? code : .runtimeInconsistency)
        }
    }

    /// The part of a multi that failed, and why: the first result that is an error other than `.ok`.
    package static func firstFailure(in results: [MultiResult]) -> (index: Int, code: ZooKeeperError.Code)? {
        for (index, result) in results.enumerated() {
            if case .failed(let code) = result, code != .ok { return (index, code) }
        }
        return nil
    }
}

extension ByteWriter {
    /// A part of a multi's answer: header and body. ``writeMultiEnd()`` follows the last.
    package mutating func writeMultiResult(_ result: MultiResult) {
        guard case .failed(let code) = result else {
            MultiHeader(type: result.type, isDone: false, error: .ok).encode(into: &self)
            return writeBody(of: result)
        }
        writeMultiFailure(code)
    }

    /// A part that failed: header and body carry the same code.
    package mutating func writeMultiFailure(_ code: ZooKeeperError.Code) {
        MultiHeader(type: .error, isDone: false, error: code).encode(into: &self)
        writeInt32(code.rawValue)
    }

    /// The end mark of a multi.
    package mutating func writeMultiEnd() { MultiHeader.end.encode(into: &self) }

    /// All parts and the end mark.
    package mutating func writeMultiResults(_ results: [MultiResult]) {
        for result in results { writeMultiResult(result) }
        writeMultiEnd()
    }

    private mutating func writeBody(of result: MultiResult) {
        switch result {
        case .created(let path, let stat):
            writeString(path)
            if let stat { writeStat(stat) }
        case .dataSet(let stat): writeStat(stat)
        case .data(let data, let stat):
            writeBuffer(data)
            writeStat(stat)
        case .children(let names): writeNames(names)
        case .deleted, .checked: break
        case .failed(let code): writeInt32(code.rawValue)
        }
    }
}

extension ByteReader {
    /// All parts of a multi's answer up to and with the end mark.
    package mutating func readMultiResults() throws(DecodingError) -> [MultiResult] {
        var results: [MultiResult] = []
        while true {
            let header = try MultiHeader(from: &self)
            guard !header.isDone else { return results }
            guard results.count < FrameLimit.maximumMultiOperations else {
                throw .invalid("more than \(FrameLimit.maximumMultiOperations) results of a multi")
            }
            results.append(try readMultiResult(header.type))
        }
    }

    private mutating func readMultiResult(_ type: OperationCode) throws(DecodingError) -> MultiResult {
        switch type {
        case .create: .created(path: try readText("path"), stat: nil)
        case .create2: .created(path: try readText("path"), stat: try readStat())
        case .delete: .deleted
        case .setData: .dataSet(try readStat())
        case .check: .checked
        case .getData: .data(try readBuffer(), try readStat())
        case .getChildren: .children(try readNames())
        case .error: .failed(ZooKeeperError.Code(rawValue: try readInt32()))
        default: throw .invalid("result \(type.rawValue) of a multi")
        }
    }
}
