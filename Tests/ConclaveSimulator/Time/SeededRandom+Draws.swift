import ConclaveCore

/// Draws that the simulator needs; integers only, so that every machine draws the same.
extension SeededRandom {
    /// A number from 0 up to, not including, `limit`; 0 if there is no such number.
    package mutating func below(_ limit: Int64) -> Int64 {
        guard limit > 0 else { return 0 }
        return Int64(next().multipliedFullWidth(by: UInt64(limit)).high)
    }

    package mutating func index(below limit: Int) -> Int { Int(below(Int64(limit))) }

    package mutating func between(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + below(range.upperBound - range.lowerBound + 1)
    }

    /// True in so many of a thousand draws.
    package mutating func chance(perMille: Int64) -> Bool { below(1000) < perMille }

    /// A number whose order of magnitude is even: as often between 1 and 10 as between 100 and 1,000.
    package mutating func magnitude(_ range: ClosedRange<Int64>) -> Int64 {
        let lowBits = Int64(64 - max(1, range.lowerBound).leadingZeroBitCount)
        let highBits = Int64(64 - max(1, range.upperBound).leadingZeroBitCount)
        let bits = between(lowBits...max(lowBits, highBits))
        let drawn = Int64(1) << (bits - 1) | below(Int64(1) << (bits - 1))
        return min(max(drawn, range.lowerBound), range.upperBound)
    }

    /// A generator of its own, so that what one part draws does not change what another draws.
    package mutating func branch() -> SeededRandom { SeededRandom(seed: next()) }
}
