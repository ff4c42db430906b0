import ConclaveCommandKit
import Testing

@Suite("Command line arguments")
struct ArgumentTests {
    private let timeout = OptionSpecification("--timeout", short: "-t", value: "DURATION", help: "how long to wait")
    private let json = OptionSpecification("--json", help: "for scripts")
    private let auth = OptionSpecification("--auth", value: "AUTH", repeats: true, help: "who you are")

    private func command(_ form: CommandSpecification.Form, _ arguments: ClosedRange<Int> = 1...1)
        -> CommandSpecification
    {
        CommandSpecification(
            "test", summary: "tests", usage: "PATH", form: form, options: [timeout, json, auth], arguments: arguments)
    }

    private func message(_ form: CommandSpecification.Form, _ words: [String]) -> String? {
        do {
            _ = try ArgumentParser(command(form)).parse(words)
            return nil
        } catch {
            return error.message
        }
    }

    @Test("Options stand anywhere, with a blank or an equals sign")
    func options() throws {
        for words in [
            ["--timeout", "5s", "/a", "--json"], ["/a", "-t=5s", "--json"], ["--json", "-t", "5s", "--", "/a"],
        ] {
            let parsed = try ArgumentParser(command(.mixed)).parse(words)
            #expect(parsed.positional == ["/a"] && parsed.has(json))
            #expect(try parsed.duration(timeout) == .seconds(5))
        }
        let repeated = try ArgumentParser(command(.mixed)).parse(["--auth", "a", "/a", "--auth=b=c"])
        #expect(repeated.texts(auth) == ["a", "b=c"])
    }

    @Test("Numbers and a lone dash are arguments, options behind -- are too")
    func dashes() throws {
        #expect(try ArgumentParser(command(.mixed)).parse(["-1"]).positional == ["-1"])
        #expect(try ArgumentParser(command(.mixed)).parse(["-"]).positional == ["-"])
        #expect(try ArgumentParser(command(.mixed)).parse(["--", "--json"]).positional == ["--json"])
    }

    @Test("The first argument ends the options where a language of its own begins")
    func optionsFirst() throws {
        let parsed = try ArgumentParser(command(.optionsFirst, 0...9)).parse(["--json", "get", "-s", "--timeout"])
        #expect(parsed.has(json) && parsed.positional == ["get", "-s", "--timeout"])
    }

    @Test("The command to run stands behind --")
    func runsCommand() throws {
        let parsed = try ArgumentParser(command(.runsCommand)).parse(["/a", "--json", "--", "ls", "--json", "--"])
        #expect(parsed.positional == ["/a"] && parsed.command == ["ls", "--json", "--"])
        #expect(message(.runsCommand, ["/a"])?.contains("after --") == true)
        #expect(message(.runsCommand, ["/a", "--"])?.contains("after --") == true)
        #expect(message(.runsCommand, ["/a", "ls"])?.contains("put -- before") == true)
    }

    @Test("What is wrong is said, with what was probably meant")
    func mistakes() {
        #expect(message(.mixed, ["/a", "--timout", "5"]) == "unknown option --timout; did you mean --timeout?")
        #expect(message(.mixed, ["/a", "-x"]) == "unknown option -x")
        #expect(message(.mixed, ["/a", "--timeout"]) == "--timeout needs a value (DURATION)")
        #expect(message(.mixed, ["/a", "--json=yes"]) == "--json takes no value")
        #expect(message(.mixed, ["/a", "--json", "--json"]) == "--json is given twice")
        #expect(message(.mixed, []) == "too few arguments; expected: PATH")
        #expect(message(.mixed, ["/a", "/b"]) == "\"/b\" is too much; expected: PATH")
    }

    @Test("Whoever asks for help gets it, whatever else is there")
    func help() throws {
        #expect(try ArgumentParser(command(.mixed)).parse(["--help"]).has(.help))
        #expect(try ArgumentParser(command(.mixed)).parse(["a", "b", "-h", "--nonsense"]).has(.help))
        let text = HelpText.command(command(.mixed), tool: "conclave", style: .plain, width: 60)
        #expect(text.contains("Usage: conclave test PATH"))
        #expect(text.contains("-t, --timeout DURATION  how long to wait"))
        #expect(text.contains("2  wrong command line"))
    }

    @Test("Values are checked")
    func values() throws {
        let parsed = try ArgumentParser(command(.mixed)).parse(["/a", "--timeout", "soon", "--auth", "12"])
        #expect(throws: UsageError.self) { try parsed.duration(timeout) }
        #expect(try parsed.integer(auth, in: 1...12) == 12)
        #expect(throws: UsageError("--auth must be a whole number from 1 to 11, not \"12\"")) {
            try parsed.integer(auth, in: 1...11)
        }
    }

    @Test(
        "Times have units",
        arguments: [
            ("500ms", Duration.milliseconds(500)), ("5s", .seconds(5)), ("5", .seconds(5)),
            ("1.5s", .milliseconds(1500)),
            ("2m", .seconds(120)), ("1h", .seconds(3600)), ("1d", .seconds(86_400)), ("0", .zero),
        ])
    func durations(text: String, expected: Duration) { #expect(DurationText.parse(text) == expected) }

    @Test(
        "What is no time is refused",
        arguments: ["", "s", "-1", "1w", "1e3", "nan", "1 s", "99999999999999999999", ".", "1..2"])
    func noDurations(text: String) { #expect(DurationText.parse(text) == nil) }
}
