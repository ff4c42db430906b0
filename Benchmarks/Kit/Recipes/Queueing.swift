extension RecipeMeasurement {
    static let queues: [RecipeMeasurement] = []
    static let barriers: [RecipeMeasurement] = []
}
