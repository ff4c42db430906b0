import ConclaveCommandKit
import ConclaveCore
import Testing

@Suite("Shell texts")
struct ShellTextTests {
    // MARK: Lines

    @Test("Blanks divide words, marks at the start of a word hold them together")
    func split() throws {
        #expect(try ShellLine.split("  create /a   'two words' \"\" ") == ["create", "/a", "two words", ""])
        #expect(
            try ShellLine.split("set /a {\"k\":\"v\"} a\\b it's") == ["set", "/a", "{\"k\":\"v\"}", "a\\b", "it's"])
        #expect(try ShellLine.split("set /a '{\"k\": \"v\"}'") == ["set", "/a", "{\"k\": \"v\"}"])
        #expect(try ShellLine.split("\"a\"b") == ["a", "b"])
        #expect(try ShellLine.split("") == [])
        #expect(throws: ShellLine.OpenQuotation(mark: "'")) { try ShellLine.split("create 'a b") }
    }

    @Test(
        "Quoted words are read back as they were", arguments: ["a", "a b", "", "'x'", "say \"x\" now", "it's", "a\tb"])
    func quote(word: String) throws {
        #expect(try ShellLine.split(ShellLine.quote(word)) == [word])
    }

    // MARK: Commands

    @Test("Options stand anywhere, joined or apart, and numbers are no options")
    func options() throws {
        let get = try #require(ShellCommand.find("get"))
        for words in [["-s", "-w", "/a"], ["-sw", "/a"], ["/a", "-ws"]] {
            let parsed = try get.parse(words)
            #expect(parsed.has("s") && parsed.has("w") && parsed.positional == ["/a"])
        }
        let set = try #require(ShellCommand.find("set"))
        #expect(try set.parse(["/a", "-1"]).positional == ["/a", "-1"])
        #expect(try set.parse(["-v", "3", "/a", "--", "-x"]).positional == ["/a", "-x"])
        #expect(try set.parse(["-v", "3", "/a", "x"]).version() == 3)
        #expect(try set.parse(["-v", "-1", "/a", "x"]).version() == nil)
    }

    @Test("Mistakes show the usage")
    func mistakes() throws {
        let get = try #require(ShellCommand.find("get"))
        #expect(throws: ShellError("get [-s] [-w] [-b] [-x] path")) { try get.parse([]) }
        #expect(throws: ShellError("Unrecognized option: -z\n" + get.help)) { try get.parse(["-z", "/a"]) }
        let set = try #require(ShellCommand.find("set"))
        #expect(throws: ShellError("Missing argument for option: v")) { try set.parse(["/a", "x", "-v"]) }
        #expect(throws: ShellError("-v argument must be a number: x")) {
            try set.parse(["-v", "x", "/a", "y"]).version()
        }
        #expect(ShellCommand.find("foo") == nil)
        #expect(
            ShellCommand.suggestion(for: "getacl") == "getAcl" && ShellCommand.suggestion(for: "craete") == "create")
        #expect(ShellCommand.suggestion(for: "xyzzy") == nil)
    }

    // MARK: Values

    @Test("A stat has the eleven lines of the reference")
    func stat() {
        let stat = Stat(
            czxid: Zxid(rawValue: 2), mzxid: Zxid(rawValue: 0x1D), ctime: 1, mtime: 2, version: 3, cversion: 4,
            aversion: 5,
            ephemeralOwner: SessionID(rawValue: -1), dataLength: 6, numChildren: 7, pzxid: Zxid(rawValue: 0x26))
        #expect(
            StatText.lines(stat, date: { "date \($0)" }) == [
                "cZxid = 0x2", "ctime = date 1", "mZxid = 0x1d", "mtime = date 2", "pZxid = 0x26", "cversion = 4",
                "dataVersion = 3", "aclVersion = 5", "ephemeralOwner = 0xffffffffffffffff", "dataLength = 6",
                "numChildren = 7",
            ])
    }

    @Test("Dates look as Java prints them")
    func dates() throws {
        let text = DateText.java(1_795_233_799_042)
        #expect(text.wholeMatch(of: /(Fri|Sat|Sun) Nov \d\d \d\d:\d\d:19 \S+ 2026/) != nil, "\(text)")
        #expect(DateText.precise(1_795_233_799_042).hasSuffix(":19.042"))
        #expect(DateText.precise(-1).hasSuffix(":59.999"))
    }

    @Test("Access control lists go both ways")
    func acl() throws {
        let list = try ACLText.parse("world:anyone:cdrwa,digest:bob:hash=:r,ip:10.0.0.0/8:")
        #expect(list.map(\.identity.id) == ["anyone", "bob:hash=", "10.0.0.0/8"])
        #expect(list[1] == ACL(.read, for: Identity(scheme: "digest", id: "bob:hash=")))
        #expect(
            ACLText.lines(list) == ["'world,'anyone", ": cdrwa", "'digest,'bob:hash=", ": r", "'ip,'10.0.0.0/8", ": "])
        #expect(throws: ShellError("foo does not have the form scheme:id:perm")) { try ACLText.parse("foo") }
        #expect(throws: ShellError("Unknown perm type: x")) { try ACLText.parse("world:anyone:rx") }
        #expect(throws: ShellError.self) { try ACLText.parse("world:anyone:r,") }
    }

    @Test("Errors read as the reference's")
    func errors() {
        func text(_ code: ZooKeeperError.Code) -> String {
            ShellErrorText.sentence(for: ZooKeeperError(code, path: "/a"), path: nil)
        }
        #expect(text(.noNode) == "Node does not exist: /a")
        #expect(text(.nodeExists) == "Node already exists: /a")
        #expect(text(.notEmpty) == "Node not empty: /a")
        #expect(text(.badVersion) == "version No is not valid : /a")
        #expect(text(.noAuth) == "Insufficient permission : /a")
        #expect(ShellErrorText.sentence(for: ZooKeeperError(.noNode), path: "/b") == "Node does not exist: /b")
        #expect(ShellErrorText.sentence(forPath: "a") == "Path must start with / character")
        #expect(ShellErrorText.sentence(forPath: "/a/") == "Path must not end with / character")
        #expect(ShellErrorText.sentence(forPath: "") == "Path length must be > 0")
        #expect(ShellErrorText.sentence(forPath: "/a") == nil)
    }

    @Test("Data cannot play tricks on a terminal")
    func data() {
        let data = Array("a\u{1B}[2Jb\nü".utf8) + [0xFF]
        #expect(DataText.text(data, forTerminal: true) == "a^[[2Jb\nü\u{FFFD}")
        #expect(DataText.text(data, forTerminal: false).contains("\u{1B}"))
        #expect(
            DataText.hexDump(Array("0123456789abcdefg\u{1}".utf8)) == [
                "00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
                "00000010  67 01                                            g.",
            ])
    }

    @Test("JSON escapes what it must")
    func json() {
        let value = JSON.object([
            ("b", .array([1, true, .null, .number(1.5), .number(.infinity)])), ("a", .string("\"\\\n\u{1}ü")),
            ("c", .array([])),
        ])
        #expect(value.text == #"{"b":[1,true,null,1.5,null],"a":"\"\\\n\u0001ü","c":[]}"#)
    }

    @Test("Words are laid out in columns, tables are aligned whatever their colours")
    func columns() {
        #expect(Columns.layout(["a", "bb", "ccc", "d", "e"], width: 12) == ["a    d", "bb   e", "ccc"])
        #expect(Columns.layout(["too long for the row"], width: 5) == ["too long for the row"])
        #expect(Columns.layout([], width: 80) == [])
        let red = Style(isOn: true).red("xy")
        #expect(Columns.table([["a", "b"], [red, "c"]]) == ["a   b", red + "  c"])
    }

    @Test(
        "Times are written with three digits",
        arguments: [
            (Duration.microseconds(870), "870 µs"), (.microseconds(12_340), "12.3 ms"), (.milliseconds(4210), "4.21 s"),
            (.seconds(200), "3 min 20 s"), (.seconds(7500), "2 h 5 min"), (.seconds(86_400), "1 d"), (.zero, "0 µs"),
            (.microseconds(9_999), "10.0 ms"), (.milliseconds(999), "999 ms"), (.microseconds(1000), "1.00 ms"),
        ])
    func durations(duration: Duration, text: String) { #expect(DurationText.format(duration) == text) }

    // MARK: Completion

    private func request(_ line: String, cursor: Int? = nil) -> ShellCompletion.Request {
        ShellCompletion.request(line: Array(line), cursor: cursor ?? line.count)
    }

    @Test("The first word is a command, then come options and paths")
    func completion() {
        #expect(request("dele") == .words(["delete", "deleteall"], range: 0..<4))
        #expect(request("get -") == .words(["-b", "-s", "-w", "-x"], range: 4..<5))
        #expect(request("ls ") == .words(["/"], range: 3..<3))
        #expect(request("ls /") == .children(of: "/", prefix: "", range: 3..<4))
        #expect(request("get -s /a/bc") == .children(of: "/a", prefix: "bc", range: 7..<12))
        #expect(request("get \"/a b/c") == .children(of: "/a b", prefix: "c", range: 4..<11))
        #expect(request("get '/a ") == .children(of: "/", prefix: "a ", range: 4..<8))
        #expect(request("get /ab", cursor: 6) == .children(of: "/", prefix: "a", range: 4..<6))
        #expect(request("set /a /b") == .nothing && request("create /a ") == .nothing && request("foo /") == .nothing)
        #expect(request("addWatch -m PERSISTENT_") == .words(["PERSISTENT_RECURSIVE"], range: 12..<23))
        #expect(request("help lis") == .words(["listquota"], range: 5..<8))
    }

    @Test("What several candidates have in common is filled in, then they are shown")
    func outcome() {
        #expect(ShellCompletion.outcome(["delete", "deleteall"], typed: "de").text == "delete")
        #expect(ShellCompletion.outcome(["delete", "deleteall"], typed: "delete").choices == ["delete", "deleteall"])
        #expect(ShellCompletion.outcome(["history"], typed: "hi").text == "history ")
        #expect(ShellCompletion.outcome(["/a/b"], typed: "/a/").text == "/a/b")
        #expect(ShellCompletion.outcome(["/a b"], typed: "/a").text == "\"/a b\"")
        #expect(ShellCompletion.outcome([], typed: "x").text == nil)
        #expect(ShellCompletion.paths(["b", "bc", "d"], of: "/a", prefix: "b") == ["/a/b", "/a/bc"])
        #expect(ShellCompletion.paths(["b"], of: "/", prefix: "") == ["/b"])
    }
}
