import Recipes

extension RecipeMeasurement {
    static let groups: [RecipeMeasurement] = [
        RecipeMeasurement(
            name: "membership-32",
            text: "a member joins: until the last of 32 followers in 8 sessions has it, then leaves",
            unit: .milliseconds
        ) { environment in
            try await environment.withClients(9) { clients in
                try await joins(environment, clients, followersEach: 4)
            }
        }
    ]

    /// The first client joins and leaves, the others follow.
    private static func joins(
        _ environment: RecipeEnvironment, _ clients: [ZooKeeperClient], followersEach: Int
    ) async throws -> RecipeFigure {
        let path = environment.folder + "/group"
        let group = Group(clients[0], at: path)
        let followers = (clients.count - 1) * followersEach
        // Somebody who stays: the followers' first look has something to show.
        let resident = try await group.join(as: "resident")
        let (arrivals, arrived) = AsyncStream.makeStream(of: [String].self)
        let rounds = 20
        return try await withThrowingTaskGroup(of: Void.self, returning: RecipeFigure.self) { tasks in
            for client in clients.dropFirst() {
                for _ in 0..<followersEach {
                    tasks.addTask {
                        for try await change in Group(client, at: path).changes {
                            arrived.yield(change.members.map(\.name))
                        }
                    }
                }
            }
            var looks = arrivals.makeAsyncIterator()
            /// Waits until every follower has told of this member, or of its absence.
            func all(see name: String, _ isThere: Bool) async {
                var count = 0
                while count < followers, let names = await looks.next(isolation: #isolation) {
                    if names.contains(name) == isThere { count += 1 }
                }
            }
            await all(see: "resident", true)
            var times: [Double] = []
            for round in 0...rounds {
                let begin = ContinuousClock.now
                let membership = try await group.join(as: "member-\(round)")
                await all(see: "member-\(round)", true)
                times.append((ContinuousClock.now - begin) / .milliseconds(1))
                await membership.leave()
                await all(see: "member-\(round)", false)
            }
            tasks.cancelAll()
            // Following ends with the tasks; the resident stays as long as it is followed.
            while let result = await tasks.nextResult() { _ = result }
            await resident.leave()
            times.removeFirst()
            times.sort()
            return RecipeFigure(value: times[times.count / 2], unit: .milliseconds)
        }
    }
}
