import CConclavePlatform

/// What becomes of memory that this process frees, where the C library lets itself be told.
package enum FreedMemory {
    private static let keptBytes: Int32 = 16 << 20
    private static let largestBuffer: Int32 = 4 << 20

    /// Keeps some megabytes for the next large buffers: for processes that are servers and nothing else.
    ///
    /// A server with many large answers spends half of its time on page faults otherwise. What the environment says
    /// (`MALLOC_TRIM_THRESHOLD_`, `MALLOC_MMAP_THRESHOLD_`) stands.
    package static func keepSome() {
        let environment = ProcessEnvironment.all
        guard environment["MALLOC_TRIM_THRESHOLD_"] == nil, environment["MALLOC_MMAP_THRESHOLD_"] == nil else { return }
        conclave_keep_freed_memory(keptBytes, largestBuffer)
    }
}
