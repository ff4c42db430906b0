/// What a ``Configuration`` does beyond reading and publishing.
public struct ConfigurationOptions<Value: ConfigurationValue>: Sendable {
    /// How many revisions are kept to go back to, the current one included; 0, as it is unless set, keeps none. At most
    /// 1,000.
    ///
    /// All publishers of a path should agree; whoever keeps none leaves gaps in the history of the others.
    public var historyLimit: Int
    /// A file that keeps the newest valid revision over restarts, for starting without a connection; `nil` for none.
    ///
    /// For this process and this value alone.
    public var backupFile: String?
    /// Throws what is wrong with a value. Publishing such a value fails with that error; read, it counts as no value of
    /// the type.
    public var validation: (@Sendable (Value) throws -> Void)?

    /// Sets all of them.
    public init(
        historyLimit: Int = 0, backupFile: String? = nil, validation: (@Sendable (Value) throws -> Void)? = nil
    ) {
        self.historyLimit = min(max(0, historyLimit), 1_000)
        self.backupFile = backupFile
        self.validation = validation
    }
}
