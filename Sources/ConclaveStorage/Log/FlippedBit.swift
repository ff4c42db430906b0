/// Finds out from two Adler-32 sums whether the bytes differ from the original in one bit.
///
/// With `d` the difference of the byte and `m` its distance from the end, counted from 1, the low halves differ by `d` and
/// the high halves by `m × d`, modulo the prime 65521. So `d` and `m` can be computed and checked against the bytes.
enum FlippedBit {
    private static let modulus: UInt64 = 65521

    static func explains(_ original: UInt32, _ computed: UInt32, _ bytes: Span<UInt8>) -> Bool {
        let low = difference(original & 0xFFFF, computed & 0xFFFF)
        let high = difference(original >> 16, computed >> 16)
        for bit in 0..<8 {
            let power = UInt64(1) << UInt64(bit)
            for wasSet in [true, false] {
                guard low == (wasSet ? power : modulus - power) else { continue }
                var distance = Int(high * inverse(low) % modulus)
                if distance == 0 { distance = Int(modulus) }
                while distance <= bytes.count {
                    let isSet = bytes[bytes.count - distance] & (1 << UInt8(bit)) != 0
                    if isSet != wasSet { return true }
                    distance += Int(modulus)
                }
            }
        }
        return false
    }

    private static func difference(_ left: UInt32, _ right: UInt32) -> UInt64 {
        (UInt64(left) + modulus - UInt64(right) % modulus) % modulus
    }

    /// By Fermat: `value` to the power of `modulus - 2`.
    private static func inverse(_ value: UInt64) -> UInt64 {
        var (result, base, exponent) = (UInt64(1), value % modulus, modulus - 2)
        while exponent > 0 {
            if exponent & 1 == 1 { result = result * base % modulus }
            base = base * base % modulus
            exponent >>= 1
        }
        return result
    }
}
