import ConclaveClient
import ConclaveCore

/// The nodes by which a leader hands over to a candidate out of turn.
///
/// ```
/// path/_o_<leader's id>-<candidate's id>-offer    ephemeral, the leader's: this candidate may take my place
/// path/handed-over                                persistent: when (mzxid) a term last began out of turn
/// ```
///
/// The candidate takes the place itself, in one transaction that deletes the offer, the leader's node and its own and
/// creates a new one of its own with the leader's number; so at every zxid there is one lowest node. Its term is that
/// transaction's zxid, which is above the creations of those who wait already. They notice by `handed-over` and replace
/// their own nodes, at the same place, when their turn comes: so terms still grow.
package enum HandOver {
    /// The child that dates the last term that began out of turn. It does not end in a number, and so does not contend.
    package static let dateName = "handed-over"

    /// The name of an offer from the leader to the candidate.
    package static func offerName(from leader: String, to candidate: String) -> String? {
        guard let leader = id(of: leader), let candidate = id(of: candidate) else { return nil }
        return "_o_\(leader)-\(candidate)-offer"
    }

    /// Whether a child's name is that of an offer.
    package static func isOffer(_ name: String) -> Bool { name.utf8.starts(with: "_o_".utf8) }

    /// The id in the name of a contender's node; `nil` for names of other libraries' making.
    package static func id(of name: String) -> String? {
        guard name.hasPrefix("_c_"), name.utf8.count > 39 else { return nil }
        return String(decoding: name.utf8.dropFirst(3).prefix(36), as: UTF8.self)
    }

    /// What takes the place of a node that stands in the queue: a node of another id with the same number.
    package static func successor(of name: ContenderName, attempt: AttemptID) -> String {
        let digits = String(name.sequence)
        let number = String(repeating: "0", count: max(0, 10 - digits.utf8.count)) + digits
        return "_c_\(attempt.text)-\(ContenderKind.latch.rawValue)\(number)"
    }
}
