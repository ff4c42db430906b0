import ConclaveClient
import ConclaveCore

@testable import Recipes

/// Short words for conversations with step machines.
enum Say {
    static func node(_ text: String, czxid: Int64 = 1, version: Int32 = 0, mtime: Int64 = 0) -> NodeData {
        NodeData(data: Array(text.utf8), stat: stat(owner: 7, czxid: czxid, version: version, mtime: mtime))
    }

    static func stat(owner: Int64, czxid: Int64 = 1, version: Int32 = 0, mtime: Int64 = 0) -> Stat {
        Stat(
            czxid: Zxid(rawValue: czxid), mzxid: Zxid(rawValue: czxid), ctime: 0, mtime: mtime, version: version,
            cversion: 0, aversion: 0, ephemeralOwner: SessionID(rawValue: owner), dataLength: 0, numChildren: 0,
            pzxid: .zero)
    }

    static func answer(_ answer: StepAnswer) -> StepEvent { .answered(answer, isWindowOpen: true) }

    static func children(_ names: String..., czxid: Int64 = 1) -> StepEvent {
        answer(.children(Children(names: names, stat: stat(owner: 0, czxid: czxid))))
    }

    static func many(_ nodes: NodeData?...) -> StepEvent { answer(.dataOfMany(nodes)) }

    static func failed(_ code: ZooKeeperError.Code) -> StepEvent { .failed(code, at: nil) }
}
