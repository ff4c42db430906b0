import ConclaveCore

/// How a network behaves while nothing is wrong with it.
package struct NetworkProfile: Sendable, Equatable {
    package var minimumDelayMicroseconds: Int64 = 30
    /// Added evenly.
    package var jitterMicroseconds: Int64 = 400
    /// How many messages of a thousand take much longer, and how long at most.
    package var spikesPerMille: Int64 = 4
    package var spikeMilliseconds: Int64 = 60
    /// How many messages of a thousand arrive in two pieces.
    package var splitsPerMille: Int64 = 80
    /// After this a dialled machine that does not answer counts as unreachable.
    package var connectTimeoutMilliseconds: Int64 = 2_000
    /// A dialled machine that does not answer is asked again after this.
    package var connectRetryMilliseconds: Int64 = 500
    /// Bytes on their way above which a sender is told to wait; it is told again at half.
    package var windowBytes = 256 * 1024

    package init() {}

    /// From a network of one rack to one across a continent.
    package static func drawn(using random: inout SeededRandom) -> NetworkProfile {
        var profile = NetworkProfile()
        profile.minimumDelayMicroseconds = random.magnitude(20...20_000)
        profile.jitterMicroseconds = random.magnitude(50...30_000)
        profile.spikesPerMille = random.below(20)
        profile.spikeMilliseconds = random.magnitude(5...400)
        profile.splitsPerMille = random.below(400)
        profile.windowBytes = Int(random.magnitude(4_096...1 << 20))
        return profile
    }
}

/// Who can reach whom, and how slowly, besides the profile: what faults change.
struct Reachability: Sendable {
    let count: Int
    /// How many faults cut the way from one process to another.
    private var cuts: [UInt16]
    private var delays: [Int64]
    /// Added to every delay.
    var storm: Int64 = 0

    init(count: Int) {
        self.count = count
        cuts = [UInt16](repeating: 0, count: count * count)
        delays = [Int64](repeating: 0, count: count * count)
    }

    @inline(__always)
    func isCut(_ from: Int, _ to: Int) -> Bool { cuts[from * count + to] != 0 }

    @inline(__always)
    func extraDelay(_ from: Int, _ to: Int) -> Int64 { delays[from * count + to] + storm }

    mutating func cut(_ from: Int, _ to: Int) { cuts[from * count + to] += 1 }

    mutating func mend(_ from: Int, _ to: Int) { if isCut(from, to) { cuts[from * count + to] -= 1 } }

    mutating func slow(_ from: Int, _ to: Int, by nanoseconds: Int64) { delays[from * count + to] += nanoseconds }

    mutating func mendAll() { self = Reachability(count: count) }
}
