/// Names: which folder a change concerns, and how it becomes certain.
extension SimulatedDisk {
    func concerns(_ change: NameChange, _ folder: String) -> Bool {
        switch change {
        case .link(let name, _), .folder(let name), .unlink(let name): Self.parent(of: name) == folder
        case .rename(let old, let new): Self.parent(of: old) == folder || Self.parent(of: new) == folder
        }
    }

    mutating func makeDurable(_ change: NameChange) {
        switch change {
        case .link(let name, let inode): durableNames[name] = inode
        case .folder(let name): durableFolders.insert(name)
        case .unlink(let name): durableNames[name] = nil
        case .rename(let old, let new):
            // The file's own appearance may be among what was lost; then there is nothing to rename.
            guard let inode = durableNames[old] else { return }
            durableNames[old] = nil
            durableNames[new] = inode
        }
    }

    static func normal(_ path: String) -> String {
        var text = path
        while text.utf8.count > 1, text.utf8.last == UInt8(ascii: "/") { text.removeLast() }
        return text
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The last part of a path that lies in a folder; `nil` for one that lies elsewhere. Looks at bytes: folders are listed
    /// all the time.
    static func part(of path: String, in folder: String) -> String? {
        var rest = path.utf8[...]
        if folder != "." {
            guard rest.starts(with: folder.utf8) else { return nil }
            rest = rest.dropFirst(folder.utf8.count)
            if folder != "/", rest.popFirst() != UInt8(ascii: "/") { return nil }
        }
        guard !rest.isEmpty, !rest.contains(UInt8(ascii: "/")) else { return nil }
        return String(Substring(rest))
    }
}
