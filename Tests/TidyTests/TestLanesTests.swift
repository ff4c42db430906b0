import TestLanes
import Testing

@Suite("Lanes of tests")
struct TestLanesTests {
    @Test("A test that goes on for too long is said to, and cancelled")
    func tooLong() async throws {
        let test = try #require(Test.current)
        let testCase = try #require(Test.Case.current)
        try await withKnownIssue {
            try await FewAtOnce(limit: .milliseconds(1)).provideScope(for: test, testCase: testCase) {
                try? await ContinuousClock().sleep(for: .seconds(3_600))
            }
        } matching: { issue in
            issue.comments.contains { $0.rawValue.contains("has not ended") }
        }
    }
}
