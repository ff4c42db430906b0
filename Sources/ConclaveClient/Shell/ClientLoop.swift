import ConclaveCore
import ConclaveTransport
import Synchronization

/// The loop that all clients of the process share: started by the first of them, never ended.
enum ClientLoop {
    private static let loop = Mutex<EventLoop?>(nil)

    static func shared() throws(ZooKeeperError) -> EventLoop {
        try loop.withLock { (loop) throws(ZooKeeperError) -> EventLoop in
            if let loop { return loop }
            let started = try EventLoop(name: "zookeeper")
            loop = started
            return started
        }
    }
}
