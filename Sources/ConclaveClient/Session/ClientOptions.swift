import ConclaveCore
import ConclaveSession
import ConclaveWire

extension ZooKeeperClient {
    /// What a client is asked to be. The defaults suit a service near its servers.
    public struct Options: Sendable {
        /// After so long without a sign of life the servers end the session; they may choose another value, see
        /// ``ZooKeeperClient/sessionTimeout``. Default 10 s.
        public var sessionTimeout: Duration = .seconds(10)
        /// How long ``ZooKeeperClient/connect(to:options:)`` looks for a server. Default 15 s.
        public var connectTimeout: Duration = .seconds(15)
        /// Proven on every connection before anything else is asked.
        public var credentials: [Credential] = []
        /// Whether a server that has lost its quorum will do. Default no.
        public var allowsReadOnly = false
        /// By how much the hold window ends before the servers could end the session. Default: a twentieth of the
        /// session's timeout, at least 10 ms.
        ///
        /// That is enough for a standalone server and for Conclave's. An Apache ZooKeeper follower answers pings
        /// without its leader: its leader may count from up to a third of the timeout plus half a tick earlier, so
        /// choose at least that; and a follower cut off from its leader answers for up to `syncLimit` ticks more, which
        /// no margin below the whole timeout covers with Apache's defaults: use fencing tokens.
        public var holdMargin: Duration?
        /// The longest frame sent or accepted, as the servers' `jute.maxbuffer`. Default 1,048,575 bytes.
        public var maximumFrameBytes: Int = FrameLimit.defaultMaximumBytes
        /// After so long without an answer a request fails with `requestTimeout` and the connection is given up, so
        /// that everything else on it fails too. Default: none; the session's own rules notice a dead server.
        public var requestTimeout: Duration?
        /// Calls that may be waiting together; more fail with `throttled`. Default 100,000.
        public var maximumPendingRequests: Int = 100_000
        /// A session to go on with instead of a new one.
        public var resume: SessionTicket?

        /// The defaults.
        public init() {}

        /// The defaults with another timeout or credentials.
        public init(sessionTimeout: Duration, credentials: [Credential] = []) {
            self.sessionTimeout = sessionTimeout
            self.credentials = credentials
        }

        func sessionOptions() throws(ZooKeeperError) -> SessionOptions {
            var options = SessionOptions()
            options.timeoutMilliseconds = Int32(clamping: try Self.positive(sessionTimeout, "sessionTimeout"))
            options.connectTimeoutMilliseconds = try Self.positive(connectTimeout, "connectTimeout")
            if let requestTimeout {
                options.requestTimeoutMilliseconds = try Self.positive(requestTimeout, "requestTimeout")
            }
            if let holdMargin {
                guard holdMargin >= .zero else { throw Self.problem("holdMargin is negative") }
                options.holdMarginMilliseconds = holdMargin.wholeMilliseconds
            }
            guard maximumFrameBytes >= 1_024 else { throw Self.problem("maximumFrameBytes is below 1,024") }
            guard maximumPendingRequests > 0 else { throw Self.problem("maximumPendingRequests is not positive") }
            guard credentials.count <= SessionCredential.limit else {
                throw Self.problem("more than \(SessionCredential.limit) credentials")
            }
            options.maximumFrameBytes = min(maximumFrameBytes, 1 << 30)
            options.maximumPendingRequests = maximumPendingRequests
            options.allowsReadOnly = allowsReadOnly
            options.credentials = credentials.map { SessionCredential(scheme: $0.scheme, secret: $0.secret) }
            options.resumed = resume.map { SessionIdentity(session: $0.session, password: $0.password) }
            return options
        }

        private static func positive(_ duration: Duration, _ name: String) throws(ZooKeeperError) -> Int64 {
            let milliseconds = duration.wholeMilliseconds
            guard milliseconds > 0 else { throw problem("\(name) is below a millisecond") }
            return milliseconds
        }

        private static func problem(_ message: String) -> ZooKeeperError {
            ZooKeeperError(.badArguments, message: "client options: " + message)
        }
    }
}
