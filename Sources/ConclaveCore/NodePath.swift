/// The absolute path of a znode, held as UTF-8.
///
/// A value of this type need not be valid: servers receive any bytes. `violation` tells what is wrong with it.
@usableFromInline
package struct NodePath: Hashable, Sendable {
    @usableFromInline package let utf8: [UInt8]

    @inlinable
    package init(utf8: [UInt8]) { self.utf8 = utf8 }

    package init(_ text: String) { utf8 = Array(text.utf8) }

    package static let root = NodePath(utf8: [UInt8(ascii: "/")])

    /// The path as text; bytes that are not UTF-8 become U+FFFD.
    package var text: String { String(decoding: utf8, as: UTF8.self) }

    /// The path of the parent; `/` for a child of the root; `nil` for the root and for text without a slash.
    package var parent: NodePath? {
        guard utf8.count > 1, let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return nil }
        return slash == 0 ? .root : NodePath(utf8: Array(utf8[..<slash]))
    }

    /// What stands after the last slash.
    package var name: ArraySlice<UInt8> {
        guard let slash = utf8.lastIndex(of: UInt8(ascii: "/")) else { return utf8[...] }
        return utf8[(slash + 1)...]
    }

    /// This path with one more component.
    package func appending(_ name: some Sequence<UInt8>) -> NodePath {
        var bytes = utf8
        if utf8.count != 1 || utf8[0] != UInt8(ascii: "/") { bytes.append(UInt8(ascii: "/")) }
        bytes.append(contentsOf: name)
        return NodePath(utf8: bytes)
    }

    /// Why this is no valid path, or `nil` if it is one.
    package var violation: PathViolation? { PathViolation.find(in: utf8.span) }
}

extension NodePath: Comparable {
    @usableFromInline
    package static func < (left: NodePath, right: NodePath) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension NodePath: CustomStringConvertible, ExpressibleByStringInterpolation {
    @usableFromInline
    package init(stringLiteral value: String) { self.init(value) }
    @usableFromInline
    package var description: String { text }
}

/// What makes a path invalid.
///
/// Source: the reference's path check; the list in the captured vectors is the test.
package enum PathViolation: Error, Equatable, Sendable {
    case empty
    case relative
    case endsWithSlash
    case emptyComponent
    case relativeComponent
    case forbiddenCharacter(Unicode.Scalar)
    case notUTF8

    /// Looks for the first violation. Cost: one pass over the bytes.
    package static func find(in path: Span<UInt8>) -> PathViolation? {
        let slash = UInt8(ascii: "/")
        guard !path.isEmpty else { return .empty }
        guard path[0] == slash else { return .relative }
        guard path.count > 1 else { return nil }
        guard path[path.count - 1] != slash else { return .endsWithSlash }
        var componentStart = 1
        var index = 1
        while index < path.count {
            let byte = path[index]
            if byte == slash {
                if let violation = component(componentStart..<index, of: path) { return violation }
                componentStart = index + 1
                index += 1
            } else if byte < 0x80 {
                guard byte >= 0x20, byte != 0x7F else { return .forbiddenCharacter(Unicode.Scalar(byte)) }
                index += 1
            } else {
                guard let (scalar, length) = decode(path, at: index) else { return .notUTF8 }
                guard isAllowed(scalar) else { return .forbiddenCharacter(scalar) }
                index += length
            }
        }
        return component(componentStart..<path.count, of: path)
    }

    private static func component(_ range: Range<Int>, of path: Span<UInt8>) -> PathViolation? {
        let dot = UInt8(ascii: ".")
        switch range.count {
        case 0: return .emptyComponent
        case 1: return path[range.lowerBound] == dot ? .relativeComponent : nil
        case 2:
            return path[range.lowerBound] == dot && path[range.lowerBound + 1] == dot ? .relativeComponent : nil
        default: return nil
        }
    }

    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x7F...0x9F, 0xD800...0xF8FF, 0xFFF0...0xFFFF: false
        case 0x10000...: false
        default: true
        }
    }

    /// Decodes one multi-byte scalar, refusing overlong forms, surrogates and cut sequences.
    private static func decode(_ path: Span<UInt8>, at index: Int) -> (Unicode.Scalar, Int)? {
        let first = UInt32(path[index])
        let length: Int
        var value: UInt32
        switch first {
        case 0xC2...0xDF: (length, value) = (2, first & 0x1F)
        case 0xE0...0xEF: (length, value) = (3, first & 0x0F)
        case 0xF0...0xF4: (length, value) = (4, first & 0x07)
        default: return nil
        }
        guard index + length <= path.count else { return nil }
        for offset in 1..<length {
            let byte = UInt32(path[index + offset])
            guard byte & 0xC0 == 0x80 else { return nil }
            value = value << 6 | byte & 0x3F
        }
        let isOverlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000)
        guard !isOverlong, let scalar = Unicode.Scalar(value) else { return nil }
        return (scalar, length)
    }
}

extension PathViolation: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "the path is empty"
        case .relative: "the path does not start with /"
        case .endsWithSlash: "the path ends with /"
        case .emptyComponent: "the path has an empty component"
        case .relativeComponent: "the path has a component . or .."
        case .forbiddenCharacter(let scalar):
            "the path contains the character U+" + String(scalar.value, radix: 16, uppercase: true)
        case .notUTF8: "the path is not UTF-8"
        }
    }
}
