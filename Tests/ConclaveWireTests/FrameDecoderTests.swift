import ConclaveCore
import ConclaveWire
import Testing

struct FrameDecoderTests {
    @Test("A frame of the limit passes, one more byte does not")
    func limit() throws {
        var decoder = FrameDecoder(maximumBytes: 10)
        decoder.append(([0, 0, 0, 10] + [UInt8](repeating: 7, count: 10)).span)
        #expect(try decoder.nextFrame() == 4..<14)
        decoder.append([0, 0, 0, 11].span)
        #expect(throws: FramingError.tooLong(11)) { try decoder.nextFrame() }
        #expect(throws: FramingError.tooLong(11)) { try decoder.nextFrame() }
    }

    @Test("The default limit is the reference's")
    func defaultLimit() throws {
        var decoder = FrameDecoder()
        decoder.append([0x00, 0x0F, 0xFF, 0xFF].span)
        #expect(try decoder.nextFrame() == nil)
        decoder = FrameDecoder()
        decoder.append([0x00, 0x10, 0x00, 0x00].span)
        #expect(throws: FramingError.tooLong(1_048_576)) { try decoder.nextFrame() }
    }

    @Test("A negative length is refused; four-letter words are lengths that are too long")
    func badLengths() throws {
        var decoder = FrameDecoder()
        decoder.append([0xFF, 0xFF, 0xFF, 0xFF].span)
        #expect(throws: FramingError.negativeLength(-1)) { try decoder.nextFrame() }
        var word = FrameDecoder()
        word.append(Array("ruok".utf8).span)
        #expect(throws: FramingError.self) { try word.nextFrame() }
        #expect(word.buffer.prefix(4) == Array("ruok".utf8)[...])
    }

    @Test("A frame without a payload is a frame")
    func empty() throws {
        var decoder = FrameDecoder()
        decoder.append([0, 0, 0, 0, 0, 0, 0, 1, 9].span)
        #expect(try decoder.nextFrame() == 4..<4)
        #expect(try decoder.nextFrame() == 8..<9)
        #expect(try decoder.nextFrame() == nil)
    }

    @Test("Nothing and parts of a length are no frame")
    func incomplete() throws {
        var decoder = FrameDecoder()
        #expect(try decoder.nextFrame() == nil)
        decoder.append([0, 0, 0].span)
        #expect(try decoder.nextFrame() == nil)
        #expect(decoder.pendingBytes == 3)
        let nothing: [UInt8] = []
        decoder.append(nothing.span)
        #expect(try decoder.nextFrame() == nil)
    }

    @Test("Frames in pieces of any size come out whole", arguments: 1...20)
    func pieces(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var stream: [UInt8] = []
        var frames: [[UInt8]] = []
        for _ in 0..<200 {
            let frame = (0..<Int.random(in: 0...90, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            frames.append(frame)
            stream += written { $0.writeBuffer(frame) }
        }
        var decoder = FrameDecoder(maximumBytes: 100)
        var found: [[UInt8]] = []
        var sent = 0
        while sent < stream.count {
            let count = min(Int.random(in: 1...400, using: &random), stream.count - sent)
            decoder.append(Array(stream[sent..<(sent + count)]).span)
            sent += count
            // Sometimes frames are left lying: back-pressure.
            var left = Bool.random(using: &random) ? Int.max : 2
            while left > 0, let range = try decoder.nextFrame() {
                found.append(Array(decoder.buffer[range]))
                left -= 1
            }
        }
        while let range = try decoder.nextFrame() { found.append(Array(decoder.buffer[range])) }
        #expect(found == frames)
        #expect(decoder.pendingBytes == 0)
    }

    @Test("What was handed out is dropped: the buffer stays within a small multiple of what is pending")
    func bounded() throws {
        var decoder = FrameDecoder()
        let frame = written { $0.writeBuffer([UInt8](repeating: 1, count: 996)) }
        let piece = frame + frame + Array(frame[..<500])
        let rest = Array(frame[500...])
        for _ in 0..<2_000 {
            decoder.append(piece.span)
            while try decoder.nextFrame() != nil {}
            #expect(decoder.pendingBytes == 500)
            decoder.append(rest.span)
            while try decoder.nextFrame() != nil {}
            #expect(decoder.buffer.count <= 2 * (piece.count + rest.count))
        }
        #expect(decoder.pendingBytes == 0)
    }

    @Test("The room of a large frame is given back")
    func roomGivenBack() throws {
        var decoder = FrameDecoder()
        decoder.append(written { $0.writeBuffer([UInt8](repeating: 1, count: 1_000_000)) }.span)
        #expect(try decoder.nextFrame() != nil)
        decoder.append([0, 0].span)
        #expect(decoder.buffer.capacity <= FrameDecoder.retainedBytes)
        #expect(decoder.pendingBytes == 2)
    }

    @Test("A length alone gets no room")
    func noRoomForPromises() throws {
        var decoder = FrameDecoder()
        decoder.append([0x00, 0x0F, 0xFF, 0xFF].span)
        #expect(try decoder.nextFrame() == nil)
        #expect(decoder.buffer.capacity < 1_000)
    }
}
