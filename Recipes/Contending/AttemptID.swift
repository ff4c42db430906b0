/// The identity of one attempt to acquire: 128 bits that appear in the name of the node it makes.
///
/// After a lost reply the node is found again by this id; no two attempts share one, so a name is never used again and
/// "the node exists" means "it is still mine" (S3). Randomness comes from outside, as everywhere in the machines.
package struct AttemptID: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Draws an id.
    package init(using random: inout some RandomNumberGenerator) {
        self.init(high: random.next(), low: random.next())
    }

    /// The id for competing once more after the node of this attempt has gone.
    package var next: AttemptID { AttemptID(high: high, low: low &+ 1) }

    /// The id as a UUID of version 4: 36 characters, lower case, the form Curator gives to protected nodes.
    package var text: String {
        let versioned = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let variant = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { buffer in
            var place = 0
            for nibble in 0..<32 {
                if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
                    buffer[place] = UInt8(ascii: "-")
                    place += 1
                }
                let word = nibble < 16 ? versioned : variant
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (nibble & 15))) & 15
                buffer[place] = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
                place += 1
            }
            return place
        }
    }
}
