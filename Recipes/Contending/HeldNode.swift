/// A node that stands for a hold, or for a part of it.
struct HeldNode: Hashable, Sendable {
    /// The path of the recipe.
    let parent: String
    let path: String
    /// Whether others may hold at the same path.
    let isShared: Bool
}
