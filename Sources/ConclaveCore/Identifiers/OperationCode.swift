/// The number of an operation in request headers, transactions and multi headers.
///
/// An open set: a peer may send any number.
package struct OperationCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32

    @inlinable
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let notification = OperationCode(rawValue: 0)
    package static let create = OperationCode(rawValue: 1)
    package static let delete = OperationCode(rawValue: 2)
    package static let exists = OperationCode(rawValue: 3)
    package static let getData = OperationCode(rawValue: 4)
    package static let setData = OperationCode(rawValue: 5)
    package static let getACL = OperationCode(rawValue: 6)
    package static let setACL = OperationCode(rawValue: 7)
    package static let getChildren = OperationCode(rawValue: 8)
    package static let sync = OperationCode(rawValue: 9)
    package static let ping = OperationCode(rawValue: 11)
    package static let getChildren2 = OperationCode(rawValue: 12)
    package static let check = OperationCode(rawValue: 13)
    package static let multi = OperationCode(rawValue: 14)
    package static let create2 = OperationCode(rawValue: 15)
    package static let reconfig = OperationCode(rawValue: 16)
    package static let checkWatches = OperationCode(rawValue: 17)
    package static let removeWatches = OperationCode(rawValue: 18)
    package static let createContainer = OperationCode(rawValue: 19)
    package static let deleteContainer = OperationCode(rawValue: 20)
    package static let createTTL = OperationCode(rawValue: 21)
    package static let multiRead = OperationCode(rawValue: 22)
    package static let auth = OperationCode(rawValue: 100)
    package static let setWatches = OperationCode(rawValue: 101)
    package static let sasl = OperationCode(rawValue: 102)
    package static let getEphemerals = OperationCode(rawValue: 103)
    package static let getAllChildrenNumber = OperationCode(rawValue: 104)
    package static let setWatches2 = OperationCode(rawValue: 105)
    package static let addWatch = OperationCode(rawValue: 106)
    package static let whoAmI = OperationCode(rawValue: 107)
    package static let createSession = OperationCode(rawValue: -10)
    package static let closeSession = OperationCode(rawValue: -11)
    /// A transaction that failed validation; also the type of a failed result inside a multi.
    package static let error = OperationCode(rawValue: -1)
}

/// Request numbers with a fixed meaning.
///
/// Source: constants of the reference client.
package enum ReservedXid {
    package static let notification: Int32 = -1
    package static let ping: Int32 = -2
    package static let auth: Int32 = -4
    package static let setWatches: Int32 = -8
}
