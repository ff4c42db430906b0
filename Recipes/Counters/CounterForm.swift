/// How a counter is kept in its node: big-endian, in as many bytes as whoever made it chose.
package enum CounterForm: Hashable, Sendable {
    /// 4 bytes: Curator's `DistributedAtomicInteger` and `SharedCount`, kazoo's `Counter` as Curator's twin.
    case four
    /// 8 bytes: Curator's `DistributedAtomicLong`, and ours.
    case eight

    /// The number and its form; no bytes stand for 0 in 8. `nil` for anything else.
    package static func decode(_ bytes: [UInt8]) -> (number: Int64, form: CounterForm)? {
        if bytes.count == 4 {
            return (Int64(Int32(bitPattern: bytes.reduce(0) { $0 << 8 | UInt32($1) })), .four)
        }
        return CounterBlock.decode(bytes).map { ($0, .eight) }
    }

    /// The number in this form; `nil` if it does not fit.
    package func encode(_ number: Int64) -> [UInt8]? {
        switch self {
        case .four: Int32(exactly: number) == nil ? nil : Array(CounterBlock.encode(number).suffix(4))
        case .eight: CounterBlock.encode(number)
        }
    }
}
