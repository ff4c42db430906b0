import ConclaveCore
import ConclaveSimulator
import Testing

@Suite struct FaultPlanTests {
    @Test("A plan depends on its seed alone, is in order and within its limits")
    func drawing() {
        for seed in 0..<UInt64(200) {
            let plan = FaultPlan.drawn(seed: seed, profile: .everything, safetyMilliseconds: 5_000)
            #expect(plan == FaultPlan.drawn(seed: seed, profile: .everything, safetyMilliseconds: 5_000))
            #expect(plan.faults.count <= FaultProfile.everything.limit)
            let times = plan.faults.map(\.atMilliseconds)
            #expect(times == times.sorted())
            #expect(times.allSatisfy { (0..<5_000).contains($0) })
        }
        #expect(FaultPlan.drawn(seed: 1, profile: .none, safetyMilliseconds: 5_000) == .none)
    }

    @Test("Seeds differ in the kinds of faults that they use, and all kinds are used")
    func swarm() {
        let kinds = (0..<UInt64(200)).map { seed in
            Set(FaultPlan.drawn(seed: seed, profile: .everything, safetyMilliseconds: 10_000).faults.map(\.kind))
        }
        #expect(Set(kinds).count > 150)
        #expect(kinds.reduce(into: []) { $0.formUnion($1) } == Set(FaultProfile.everything.kinds))
    }

    @Test("A plan is reduced to the faults that are needed")
    func reducing() {
        let faults = (0..<40).map {
            PlannedFault(.kill, atMilliseconds: $0, lastsMilliseconds: 1, target: .leader, choice: UInt64($0))
        }
        var runs = 0
        let reduced = PlanReducer().reduce(FaultPlan(faults: faults)) { plan in
            runs += 1
            return Set(plan.faults.map(\.choice)).isSuperset(of: [3, 31])
        }
        #expect(reduced.faults.map(\.choice) == [3, 31])
        #expect(runs < 120)
    }

    @Test("A reduction stops after its number of runs")
    func reducingIsBounded() {
        let faults = (0..<40).map {
            PlannedFault(.kill, atMilliseconds: $0, lastsMilliseconds: 1, target: .leader, choice: 0)
        }
        var runs = 0
        _ = PlanReducer(runLimit: 10).reduce(FaultPlan(faults: faults)) { _ in
            runs += 1
            return false
        }
        #expect(runs == 10)
    }

    @Test("Every kind of fault belongs to a group, and profiles are found by their names")
    func groups() {
        let groups = FaultKind.network + FaultKind.processes + FaultKind.disks + FaultKind.clocks + FaultKind.damage
        #expect(groups.count == FaultKind.allCases.count)
        #expect(Set(groups) == Set(FaultKind.allCases))
        for profile in FaultProfile.all + [.damage] { #expect(FaultProfile.named(profile.name) == profile) }
    }
}
