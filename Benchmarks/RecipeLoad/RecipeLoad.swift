import BenchmarkKit
import ConclaveClient
import Foundation

/// `recipe-load`: one recipe under load, one line of result.
@main
struct RecipeLoad {
    static let help = """
        recipe-load: puts one recipe under load at a server or an ensemble and prints its figure.

          recipe-load NAME --server HOSTS [--seconds S]

        Names:
        \(RecipeMeasurement.all.map { "  \($0.name.padding(toLength: 14, withPad: " ", startingAt: 0))\($0.text)" }
            .joined(separator: "\n"))

        Prints `NAME VALUE UNIT`. Ends with status 1 if a request failed, 2 if the command line was not understood.
        """

    static func main() async {
        var words = Array(CommandLine.arguments.dropFirst())[...]
        var servers: String?
        var seconds = 3.0
        var measurement: RecipeMeasurement?
        while let word = words.popFirst() {
            switch word {
            case "--help", "-h", "help":
                print(help)
                return
            case "--server":
                guard let value = words.popFirst() else { refuse("--server needs a value") }
                servers = value
            case "--seconds":
                guard let value = words.popFirst().flatMap(Double.init), value > 0, value < 3_600 else {
                    refuse("--seconds needs a number")
                }
                seconds = value
            default:
                guard measurement == nil, let found = RecipeMeasurement.named(word) else {
                    refuse("\(word) is not known")
                }
                measurement = found
            }
        }
        guard let measurement, let servers else { refuse("a name and --server are needed") }
        var generator = SystemRandomNumberGenerator()
        let folder = "/recipe-load-\(String(generator.next() as UInt64, radix: 16))"
        let environment = RecipeEnvironment(servers: servers, seconds: seconds, folder: folder)
        do {
            let client = try await ZooKeeperClient.connect(to: servers)
            try await client.ensurePath(folder)
            let figure = try await measurement.run(environment)
            print(
                "\(measurement.name) \(figure.value.formatted(.number.precision(.significantDigits(5)).grouping(.never))) \(figure.unit.rawValue)"
            )
            try await client.deleteSubtree(folder)
            await client.close()
        } catch {
            FileHandle.standardError.write(Data("recipe-load: \(measurement.name): \(error)\n".utf8))
            exit(1)
        }
    }

    private static func refuse(_ reason: String) -> Never {
        FileHandle.standardError.write(Data("recipe-load: \(reason)\n\n\(help)\n".utf8))
        exit(2)
    }
}
