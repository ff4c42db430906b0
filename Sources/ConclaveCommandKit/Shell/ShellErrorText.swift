import ConclaveCore

/// The sentences of the reference's shell, which scripts look for.
package enum ShellErrorText {
    package static func sentence(for error: ZooKeeperError, path fallback: String?) -> String {
        let path = error.path ?? fallback ?? ""
        switch error.code {
        case .noNode: return "Node does not exist: \(path)"
        case .nodeExists: return "Node already exists: \(path)"
        case .notEmpty: return "Node not empty: \(path)"
        case .noChildrenForEphemerals: return "Ephemerals cannot have children: \(path)"
        case .noAuth: return "Insufficient permission : \(path)"
        case .badVersion: return "version No is not valid : \(path)"
        case .invalidACL: return "Acl is not valid : \(path)"
        case .quotaExceeded: return "Quota has exceeded : \(path)"
        case .notReadOnly: return "Not a read-only server: \(path)"
        case .noWatcher: return "KeeperErrorCode = No such watcher for \(path)"
        case .reconfigurationDisabled: return "KeeperErrorCode = Reconfig is disabled"
        case .cancelled: return "Interrupted: \(error.message)"
        default: return error.description
        }
    }

    /// What is wrong with a path that a user typed, or `nil` if nothing is.
    package static func sentence(forPath path: String) -> String? {
        switch NodePath(path).violation {
        case nil: nil
        case .empty: "Path length must be > 0"
        case .relative: "Path must start with / character"
        case .endsWithSlash: "Path must not end with / character"
        case .emptyComponent: "Invalid path string \"\(path)\": two slashes in a row"
        case .relativeComponent: "Invalid path string \"\(path)\": . and .. are no names"
        case .forbiddenCharacter(let scalar):
            "Invalid path string: character U+\(String(scalar.value, radix: 16, uppercase: true)) is not allowed"
        case .notUTF8: "Invalid path string: not UTF-8"
        }
    }
}
