import ConclaveCore
import Testing

struct ByteTests {
    @Test("What the writer writes the reader reads, and nothing more")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.writeByte(7)
        writer.writeBool(true)
        writer.writeInt32(-2)
        writer.writeInt64(.min)
        writer.writeBuffer([1, 2, 3])
        writer.writeBuffer(nil)
        writer.writeString("höhe")
        var reader = ByteReader(writer.bytes)
        #expect(try reader.readByte() == 7)
        #expect(try reader.readBool())
        #expect(try reader.readInt32() == -2)
        #expect(try reader.readInt64() == .min)
        #expect(try reader.readBuffer() == [1, 2, 3])
        #expect(try reader.readBuffer() == nil)
        #expect(try reader.readString() == "höhe")
        #expect(reader.isAtEnd)
        #expect(throws: DecodingError.cut) { try reader.readByte() }
    }

    @Test("Integers are big-endian")
    func order() {
        var writer = ByteWriter()
        writer.writeInt32(0x0102_0304)
        writer.writeInt64(0x0102_0304_0506_0708)
        #expect(writer.bytes == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8])
    }

    @Test("A range ends the reader, whatever lies behind it")
    func ranges() throws {
        var reader = ByteReader([0, 0, 0, 5, 1, 2, 3, 4, 5], in: 0..<8)
        #expect(throws: DecodingError.badLength(5)) { try reader.readBuffer() }
    }

    @Test("Lengths that cannot be right are refused before anything is allocated")
    func lengths() throws {
        var negative = ByteReader([0xFF, 0xFF, 0xFF, 0xFE])
        #expect(throws: DecodingError.badLength(-2)) { try negative.readRange() }
        var huge = ByteReader([0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0])
        #expect(throws: DecodingError.badLength(.max)) { try huge.readCount(minimumElementBytes: 8) }
        var none = ByteReader([0xFF, 0xFF, 0xFF, 0xFF])
        #expect(try none.readCount(minimumElementBytes: 4) == 0)
    }

    @Test("An opened length is filled in")
    func openLength() {
        var writer = ByteWriter()
        let start = writer.openLength()
        writer.writeRaw([9, 9])
        writer.closeLength(at: start)
        #expect(writer.bytes == [0, 0, 0, 2, 9, 9])
    }

    @Test("The queue keeps its order across growth and reuse")
    func ringBuffer() {
        var queue = RingBuffer<Int>()
        var model: [Int] = []
        var random = SeededRandom(seed: 1)
        for step in 0..<2000 {
            if Int.random(in: 0..<5, using: &random) < 3 {
                queue.append(step)
                model.append(step)
            } else {
                #expect(queue.popFirst() == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count && queue.first == model.first)
        }
        #expect(Array(queue) == model)
    }

    @Test("A zxid's counter is never used up within its epoch")
    func zxid() {
        #expect(Zxid(epoch: 3, counter: 7).successor == Zxid(epoch: 3, counter: 8))
        #expect(Zxid(epoch: 3, counter: .max - 1).successor == nil)
        #expect(Zxid(epoch: 3, counter: 7).description == "0x300000007")
        #expect(SessionID(rawValue: -1).description == "0xffffffffffffffff")
    }
}
