extension Tool {
    /// Every command, in the order in which the help lists them.
    package static let commands: [any ToolCommand.Type] = [
        DemoTool.self, ServerTool.self, QuorumTool.self, ShellTool.self, LockTool.self, SemaphoreTool.self,
        RevokeTool.self, ElectTool.self, ConfigTool.self, IDTool.self, CounterTool.self, ServicesTool.self,
        QueueTool.self, BarrierTool.self, MembersTool.self, ProgressTool.self, CommandsTool.self,
        InspectTool.self, LogTool.self, SnapshotTool.self,
    ]
}
