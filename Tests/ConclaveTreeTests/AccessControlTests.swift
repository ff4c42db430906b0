import ConclaveCore
import ConclaveTree
import Testing

/// Who may do what.
@Suite struct AccessControlTests {
    private let bob = Identity(scheme: "digest", id: "bob:hash")
    private let address = Identity(scheme: "ip", id: "10.0.0.1")
    private let superUser = Identity(scheme: "super", id: "")

    @Test("An entry grants exactly its permissions to exactly its identity")
    func evaluation() {
        let permissions: [Permissions] = [.read, .write, .create, .delete, .admin]
        for bits in 0..<32 as Range<Int32> {
            let granted = Permissions(rawValue: bits)
            for permission in permissions {
                let isGranted = granted.contains(permission)
                let forBob = [ACL(granted, for: bob)]
                #expect(AccessControl.isAllowed(permission, by: forBob, identities: [address, bob]) == isGranted)
                #expect(!AccessControl.isAllowed(permission, by: forBob, identities: [address]))
                let forAll = [ACL(granted, for: .anyone)]
                #expect(AccessControl.isAllowed(permission, by: forAll, identities: []) == isGranted)
                #expect(AccessControl.isAllowed(permission, by: forBob, identities: [superUser]))
            }
        }
    }

    @Test("An empty list allows everything, an identity of another scheme with the same name nothing")
    func edges() {
        #expect(AccessControl.isAllowed(.admin, by: [], identities: []))
        let acl = [ACL(.all, for: Identity(scheme: "sasl", id: "bob:hash"))]
        #expect(!AccessControl.isAllowed(.read, by: acl, identities: [bob]))
        #expect(AccessControl.isAllowed(.read, by: acl, identities: [Identity(scheme: "sasl", id: "bob:hash")]))
        let several = [ACL(.read, for: .anyone), ACL(.write, for: bob)]
        #expect(AccessControl.isAllowed(.write, by: several, identities: [bob]))
        #expect(!AccessControl.isAllowed(.admin, by: several, identities: [bob]))
    }

    @Test("Lists are stored without duplicates, the first of them stays")
    func duplicates() {
        let acl = [ACL(.read, for: .anyone), ACL(.all, for: bob), ACL(.read, for: .anyone), ACL(.write, for: .anyone)]
        #expect(AccessControl.normalise(acl, identities: []) == [acl[0], acl[1], acl[3]])
    }

    @Test("auth becomes the identities that the connection has proven")
    func authExpansion() {
        let acl = [ACL(.all, for: .creator), ACL(.read, for: .anyone)]
        let carol = Identity(scheme: "digest", id: "carol:hash")
        #expect(
            AccessControl.normalise(acl, identities: [address, bob, superUser, carol])
                == [ACL(.all, for: bob), ACL(.all, for: carol), ACL(.read, for: .anyone)])
        #expect(AccessControl.normalise(acl, identities: [address, superUser]) == nil)
        let sasl = Identity(scheme: "sasl", id: "u")
        #expect(AccessControl.normalise(acl, identities: [sasl]) == nil)
        #expect(
            AccessControl.normalise(acl, identities: [sasl], schemes: Scheme.standard + [.sasl])?.first?.identity
                == sasl)
    }

    @Test("Empty lists, unknown schemes and ids that their scheme does not know are refused")
    func validity() {
        func isValid(_ scheme: String, _ id: String) -> Bool {
            AccessControl.normalise([ACL(.all, for: Identity(scheme: scheme, id: id))], identities: []) != nil
        }
        #expect(AccessControl.normalise([], identities: []) == nil)
        #expect(isValid("world", "anyone"))
        #expect(!isValid("world", "somebody"))
        #expect(!isValid("super", ""))
        #expect(!isValid("sasl", "bob"))
        #expect(!isValid("x509", "CN=bob"))
        #expect(!isValid("", ""))
        // As Java splits at the colon: empty parts at the end do not count.
        for (id, expected) in [
            ("a:b", true), (":b", true), ("a:b:", true), ("a:b::", true), ("a", false), ("a:", false), ("", false),
            (":", false), ("a:b:c", false), ("a::b", false),
        ] { #expect(isValid("digest", id) == expected, "\(id)") }
    }

    @Test("Addresses and masks are read strictly")
    func addresses() {
        func isValid(_ id: String) -> Bool {
            AccessControl.normalise([ACL(.all, for: Identity(scheme: "ip", id: id))], identities: []) != nil
        }
        for id in ["1.2.3.4", "0.0.0.0/0", "255.255.255.255/32", "1.2.3.4/08"] { #expect(isValid(id), "\(id)") }
        for id in [
            "", "/", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-1", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/-1",
            "1.2.3.4/8/8",
            "1..3.4", "a.b.c.d", "::1", "1.2.3.4 ",
        ] { #expect(!isValid(id), "\(id)") }
        func matches(_ acl: String, _ client: String) -> Bool {
            let acl = [ACL(.all, for: Identity(scheme: "ip", id: acl))]
            return AccessControl.isAllowed(.read, by: acl, identities: [Identity(scheme: "ip", id: client)])
        }
        for bits in 0...32 {
            // The address differs from the client's in the bit with this number from the left.
            let different = UInt32(0x0A01_0203) ^ (bits == 0 ? 0 : 1 << UInt32(32 - bits))
            let text = [24, 16, 8, 0].map { String(different >> UInt32($0) & 255) }.joined(separator: ".")
            #expect(matches("\(text)/\(bits)", "10.1.2.3") == (bits == 0))
            if bits > 0 { #expect(matches("\(text)/\(bits - 1)", "10.1.2.3")) }
        }
        #expect(!matches("0.0.0.0/0", "::1"))
        #expect(!matches("not an address", "10.1.2.3"))
    }

    @Test("Who lacks ADMIN sees no hashes")
    func masking() {
        let acl = [
            ACL(.all, for: bob), ACL(.read, for: Identity(scheme: "digest", id: "plain")),
            ACL(.read, for: Identity(scheme: "digest", id: "a:b:c")),
            ACL(.read, for: Identity(scheme: "sasl", id: "x:y")),
        ]
        #expect(AccessControl.masked(acl).map(\.identity.id) == ["bob:x", "plain", "a:x", "x:y"])
        #expect(AccessControl.publicName(of: bob) == "bob")
        #expect(AccessControl.publicName(of: address) == "10.0.0.1")
    }

    @Test("An auth packet gives the digest identity, the super user's also that one; ip gives the address")
    func authentication() {
        func authenticate(_ scheme: String, _ credential: String) -> [Identity]? {
            AccessControl.authenticate(
                scheme: scheme, credential: Array(credential.utf8), superDigest: "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
                peerAddress: "10.0.0.1")
        }
        let own = Identity(scheme: "digest", id: "super:D/InIHSb7yEEbrWz8b9l71RjZJU=")
        #expect(authenticate("digest", "super:test") == [superUser, own])
        #expect(authenticate("digest", "super:wrong")?.count == 1)
        #expect(authenticate("digest", "")?.count == 1)
        #expect(authenticate("ip", "anything") == [address])
        for scheme in ["world", "auth", "super", "sasl", "x509", "", "DIGEST"] {
            #expect(authenticate(scheme, "super:test") == nil)
        }
    }
}
