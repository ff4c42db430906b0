/// Takes faults out of a plan for as long as what is left still breaks the same promise.
///
/// Halves first, then single ones, then shorter durations. The runs differ in more than the missing fault, since chance
/// falls otherwise after it; that is why the reduction goes on until nothing more can be taken out.
///
/// Source: Zeller and Hildebrandt, Simplifying and isolating failure-inducing input (2002), in its simplest form.
package struct PlanReducer {
    /// How many runs it may take.
    package let runLimit: Int

    package init(runLimit: Int = 300) { self.runLimit = runLimit }

    /// - Parameter breaks: runs a plan and says whether the same promise is broken.
    package func reduce(_ plan: FaultPlan, breaks: (FaultPlan) -> Bool) -> FaultPlan {
        var best = plan
        var runs = 0
        var size = max(1, plan.faults.count / 2)
        while runs < runLimit, !best.faults.isEmpty {
            var start = 0
            var hasShrunk = false
            while start < best.faults.count, runs < runLimit {
                var smaller = best
                smaller.faults.removeSubrange(start..<min(start + size, best.faults.count))
                runs += 1
                if breaks(smaller) {
                    best = smaller
                    hasShrunk = true
                } else {
                    start += size
                }
            }
            if size > 1 {
                size /= 2
            } else if !hasShrunk {
                break
            }
        }
        return best
    }
}
