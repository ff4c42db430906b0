import ConclaveCore
import Testing

@testable import Recipes

@Suite("Names of contenders")
struct ContenderNameTests {
    @Test(
        "Names of every library give their number and whether they share",
        arguments: [
            ("_c_1f0e7c52-2a4b-4e5d-9d3c-0a1b2c3d4e5f-lock-0000000042", 42, false),
            ("_c_1f0e7c52-2a4b-4e5d-9d3c-0a1b2c3d4e5f-__READ__0000000007", 7, true),
            ("_c_1f0e7c52-2a4b-4e5d-9d3c-0a1b2c3d4e5f-__WRIT__0000000008", 8, false),
            ("_c_1f0e7c52-2a4b-4e5d-9d3c-0a1b2c3d4e5f-latch-0000000000", 0, false),
            ("7ac3f00d__lock__0000000009", 9, false),
            ("7ac3f00d__rlock__0000000010", 10, true),
            ("0000000011", 11, false),
            ("x2147483647", Int32.max, false),
        ] as [(String, Int32, Bool)])
    func known(_ text: String, _ sequence: Int32, _ isShared: Bool) throws {
        let name = try #require(ContenderName(text))
        #expect(name.sequence == sequence)
        #expect(name.isShared == isShared)
    }

    @Test(
        "What has no number is no contender",
        arguments: [
            "", "lock", "lock-123456789", "config", "host-123456789", "lock-0000000042x", "9999999999",
            "lock-２１４７４８３６４７",
        ])
    func strangers(_ text: String) {
        #expect(ContenderName(text) == nil)
    }

    @Test("Numbers after the overflow of the counter are negative and sort first")
    func overflow() throws {
        let first = try #require(ContenderName("_c_id-lock--2147483648"))
        let last = try #require(ContenderName("_c_id-lock--000000001"))
        let before = try #require(ContenderName("_c_id-lock-2147483647"))
        let writer = try #require(ContenderName("_c_id-__WRIT__-2147483647"))
        #expect(first.sequence == .min)
        #expect(last.sequence == -1)
        #expect(writer.sequence == Int32.min + 1)
        #expect([before, last, writer, first].sorted() == [first, writer, last, before])
    }

    @Test("Order is by number, whatever the prefix, and total among equal numbers")
    func order() {
        let names = ["zz-lock-0000000001", "aa__lock__0000000003", "mm-__READ__0000000002", "bb-__WRIT__0000000002"]
        let sorted = names.compactMap(ContenderName.init).sorted().map(\.text)
        #expect(
            sorted == ["zz-lock-0000000001", "bb-__WRIT__0000000002", "mm-__READ__0000000002", "aa__lock__0000000003"])
    }

    @Test("The id of an attempt is a UUID of version 4, and the next one differs")
    func attemptID() {
        let id = AttemptID(high: 0x0123_4567_89AB_CDEF, low: 0xFEDC_BA98_7654_3210)
        #expect(id.text == "01234567-89ab-4def-bedc-ba9876543210")
        #expect(id.next.text == "01234567-89ab-4def-bedc-ba9876543211")
        #expect(AttemptID(high: .max, low: .max).text == "ffffffff-ffff-4fff-bfff-ffffffffffff")
    }
}
