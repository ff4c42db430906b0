/// The number of an operation in request headers, transactions and multi headers.
///
/// An open set: a peer may send any number.
@usableFromInline
package struct OperationCode: RawRepresentable, Hashable, Sendable {
    @usableFromInline package let rawValue: Int32

    @inlinable
    package init(rawValue: Int32) { self.rawValue = rawValue }

    /// Spelled out, and the constants computed, so that a `switch` over operations compiles to comparisons of numbers:
    /// otherwise each case costs a call of the generic comparison of raw values.
    @inlinable
    package static func == (left: OperationCode, right: OperationCode) -> Bool { left.rawValue == right.rawValue }

    @inlinable
    package static func ~= (pattern: OperationCode, value: OperationCode) -> Bool { pattern.rawValue == value.rawValue }

    @inlinable package static var notification: OperationCode { OperationCode(rawValue: 0) }
    @inlinable package static var create: OperationCode { OperationCode(rawValue: 1) }
    @inlinable package static var delete: OperationCode { OperationCode(rawValue: 2) }
    @inlinable package static var exists: OperationCode { OperationCode(rawValue: 3) }
    @inlinable package static var getData: OperationCode { OperationCode(rawValue: 4) }
    @inlinable package static var setData: OperationCode { OperationCode(rawValue: 5) }
    @inlinable package static var getACL: OperationCode { OperationCode(rawValue: 6) }
    @inlinable package static var setACL: OperationCode { OperationCode(rawValue: 7) }
    @inlinable package static var getChildren: OperationCode { OperationCode(rawValue: 8) }
    @inlinable package static var sync: OperationCode { OperationCode(rawValue: 9) }
    @inlinable package static var ping: OperationCode { OperationCode(rawValue: 11) }
    @inlinable package static var getChildren2: OperationCode { OperationCode(rawValue: 12) }
    @inlinable package static var check: OperationCode { OperationCode(rawValue: 13) }
    @inlinable package static var multi: OperationCode { OperationCode(rawValue: 14) }
    @inlinable package static var create2: OperationCode { OperationCode(rawValue: 15) }
    @inlinable package static var reconfig: OperationCode { OperationCode(rawValue: 16) }
    @inlinable package static var checkWatches: OperationCode { OperationCode(rawValue: 17) }
    @inlinable package static var removeWatches: OperationCode { OperationCode(rawValue: 18) }
    @inlinable package static var createContainer: OperationCode { OperationCode(rawValue: 19) }
    @inlinable package static var deleteContainer: OperationCode { OperationCode(rawValue: 20) }
    @inlinable package static var createTTL: OperationCode { OperationCode(rawValue: 21) }
    @inlinable package static var multiRead: OperationCode { OperationCode(rawValue: 22) }
    @inlinable package static var auth: OperationCode { OperationCode(rawValue: 100) }
    @inlinable package static var setWatches: OperationCode { OperationCode(rawValue: 101) }
    @inlinable package static var sasl: OperationCode { OperationCode(rawValue: 102) }
    @inlinable package static var getEphemerals: OperationCode { OperationCode(rawValue: 103) }
    @inlinable package static var getAllChildrenNumber: OperationCode { OperationCode(rawValue: 104) }
    @inlinable package static var setWatches2: OperationCode { OperationCode(rawValue: 105) }
    @inlinable package static var addWatch: OperationCode { OperationCode(rawValue: 106) }
    @inlinable package static var whoAmI: OperationCode { OperationCode(rawValue: 107) }
    @inlinable package static var createSession: OperationCode { OperationCode(rawValue: -10) }
    @inlinable package static var closeSession: OperationCode { OperationCode(rawValue: -11) }
    /// A transaction that failed validation; also the type of a failed result inside a multi.
    @inlinable package static var error: OperationCode { OperationCode(rawValue: -1) }
}

/// Request numbers with a fixed meaning.
///
/// Source: constants of the reference client.
@usableFromInline
package enum ReservedXid {
    @inlinable package static var notification: Int32 { -1 }
    @inlinable package static var ping: Int32 { -2 }
    @inlinable package static var auth: Int32 { -4 }
    @inlinable package static var setWatches: Int32 { -8 }
}
