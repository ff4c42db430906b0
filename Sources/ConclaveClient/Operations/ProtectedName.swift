import ConclaveSystem

/// The name of a protected node: `_c_<guid>-<name>`.
///
/// Source: Curator's protected mode, so that its tools see what the node is.
struct ProtectedName {
    let parent: String
    let prefix: String
    let name: Substring

    init(_ path: String, id: String) {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        parent = slash == path.startIndex ? "/" : String(path[..<slash])
        prefix = "_c_" + id + "-"
        name = path[slash...].dropFirst()
    }

    /// The path to ask for.
    var path: String { child(prefix + name) }

    func child(_ name: String) -> String { (parent == "/" ? "/" : parent + "/") + name }

    /// A random id in the form of a UUID of version 4.
    static func randomID() -> String {
        var bytes = SystemRandom.bytes(16)
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text += byte < 16 ? "0" + String(byte, radix: 16) : String(byte, radix: 16)
        }
        return text
    }
}
