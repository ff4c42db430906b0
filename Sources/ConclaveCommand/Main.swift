import ConclaveCommandKit

/// The program. Everything that it does is in `ConclaveCommandKit`, where tests reach it.
@main
struct Main {
    static func main() async { await ToolProcess.run() }
}
