extension Arguments {
    /// A positional argument as the path of a recipe that has nodes beside or below it.
    func path(at index: Int) throws(UsageError) -> String {
        let path = positional[index]
        guard path.hasPrefix("/"), path != "/" else {
            throw UsageError("PATH must begin with / and name a node below the root, not \"\(path)\"")
        }
        return path
    }
}
