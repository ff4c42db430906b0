import ConclaveCore
import ConclaveNode
import ConclaveWire
import Testing

/// When a server of an ensemble begins and ends to be read-only (wire-protocol, section 12).
struct NodeReadOnlyTests {
    @Test(
        "Who looks for a leader for two seconds, or a tick if that is longer, serves read-only",
        arguments: [(100, 2000), (2000, 2000), (3000, 3000)] as [(Int64, Int64)])
    func begin(tick: Int64, wait: Int64) throws {
        var ring = try NodeRing(apart: true, tick: tick) { $0.readOnlyMode = true }
        ring.advance(milliseconds: wait - 1)
        #expect(ring.role(1) == .none)
        #expect(try ring.greet(1, .new(readOnly: true)).1 == nil)
        ring.advance(milliseconds: 1)
        #expect(ring.roles.allSatisfy { $0 == [.readOnly] })
        #expect(try ring.greet(1, .new(readOnly: true)).1?.readOnly == true)
    }

    @Test("Without the option nobody does")
    func off() throws {
        var ring = try NodeRing(apart: true) { _ in }
        ring.advance(milliseconds: 60_000)
        #expect(ring.roles == [[], [], []])
    }

    @Test("Who finds a leader in time never does, however long it leads")
    func inTime() throws {
        var ring = try NodeRing(apart: false) { $0.readOnlyMode = true }
        ring.advance(milliseconds: 60_000)
        #expect(ring.roles.flatMap { $0 }.filter { $0 == .leader }.count == 1)
        #expect(ring.roles.flatMap { $0 }.filter { $0 == .follower }.count == 2)
        #expect(!ring.roles.joined().contains(.readOnly))
    }

    @Test("When the servers find each other clients are dropped, then everybody is served")
    func end() throws {
        var ring = try NodeRing(apart: true) { $0.readOnlyMode = true }
        ring.advance(milliseconds: 5_000)
        let (id, answer) = try ring.greet(2, .new(readOnly: true))
        #expect(answer?.readOnly == true)
        ring.heal()
        ring.advance(milliseconds: 10_000)
        #expect(ring.closed[id] == .notServing)
        for roles in ring.roles {
            #expect(roles.count == 3 && roles.first == .readOnly && roles.dropFirst().first == ServingRole.none)
            #expect(roles.last?.hasQuorum == true)
        }
        #expect(try ring.greet(2, .new(readOnly: true)).1?.readOnly == false)
    }

    @Test("Who is cut off alone serves read-only, the others go on")
    func cutOff() throws {
        var ring = try NodeRing(apart: false) { $0.readOnlyMode = true }
        ring.advance(milliseconds: 5_000)
        let (_, answer) = try ring.greet(1, .new())
        let global = try #require(answer)
        ring.cut(1)
        ring.advance(milliseconds: 30_000)
        #expect(ring.role(1) == .readOnly)
        #expect(ring.role(2).hasQuorum && ring.role(3).hasQuorum)
        // It cannot know what has become of this session; the others do.
        #expect(try ring.greet(1, .again(global, readOnly: true)).1 == nil)
        ring.heal()
        ring.advance(milliseconds: 30_000)
        #expect(ring.role(1) == .follower)
        #expect(!ring.roles[1].contains(.readOnly) && !ring.roles[2].contains(.readOnly))
    }
}
