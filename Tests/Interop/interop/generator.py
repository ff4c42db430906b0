"""Random but seeded client requests: every operation, valid and invalid arguments, aimed at what exists.

The generator learns from the reference server's replies which nodes exist and with which versions, so that its
requests hit: right versions as often as wrong ones, occupied names, parents with and without children. The same
seed against the same reference gives the same bytes.
"""

import json
import os
import random

from .harness import ROOT
from .jute import *

NAMES = ["a", "b", "c", "d", "e", "lock-", "é", "x y", "n" * 60]
SPECIAL = ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"]
QUOTA_ROOT = "/zookeeper/quota"
IDENTITIES = [("digest", b"bob:secret"), ("digest", b"alice:wonder"), ("digest", b"user:pass:word")]

with open(os.path.join(ROOT, "Tests", "Vectors", "computed.json")) as _file:
    COMPUTED = json.load(_file)
DIGEST_IDS = [entry["id"] for entry in COMPUTED["digest_auth"]]
INVALID_PATHS = [entry["path"] for entry in COMPUTED["path_validation"] if not entry["valid"]]
ODD_VALID_PATHS = [entry["path"] for entry in COMPUTED["path_validation"] if entry["valid"]]

ACLS = [
    OPEN, OPEN, OPEN, OPEN,
    [(1, "world", "anyone")],
    [(31, "auth", "")],
    [(31, "digest", DIGEST_IDS[1])],
    [(1, "world", "anyone"), (31, "digest", DIGEST_IDS[1])],
    [(31, "ip", "127.0.0.1")],
    [(31, "ip", "127.0.0.0/8"), (1, "world", "anyone")],
    [(15, "ip", "10.0.0.0/8"), (1, "world", "anyone"), (16, "ip", "127.0.0.1")],
    [(31, "world", "anyone"), (31, "world", "anyone")],
    [(1, "world", "anyone"), (2, "world", "anyone"), (4, "world", "anyone"), (24, "world", "anyone")],
    [(31, "auth", "ignored"), (1, "world", "anyone")],
    [(31, "digest", DIGEST_IDS[3]), (16, "world", "anyone"), (1, "world", "anyone")],
]
UNREADABLE = [(0, "world", "anyone")]
BAD_ACLS = [
    [], None,
    [(31, "world", "someone")],
    [(31, "nosuch", "x")],
    [(31, "digest", "no-colon")],
    [(31, "digest", "a:b:c")],
    [(31, "ip", "300.1.1.1")],
    [(31, "ip", "10.1.2.3/33")],
    [(31, "ip", "10.1.2")],
    [(31, None, "anyone")],
    [(31, "world", None)],
    [(31, "super", "x")],
    UNREADABLE,
    [(31, "", "")],
]


def is_valid(path):
    """The rule for paths."""
    if path == "/":
        return True
    parts = path.split("/")
    return (parts[0] == "" and len(parts) > 1 and not any(part in ("", ".", "..") for part in parts[1:])
            and not any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 or 0xD800 <= ord(one) < 0xF900
                        or 0xFFF0 <= ord(one) for one in path))


class Request:
    """One frame: what is sent on which slot, and how its reply reads."""

    __slots__ = ("slot", "operation", "body", "xid", "text")

    def __init__(self, slot, operation, body, text, xid=None):
        self.slot, self.operation, self.body, self.text, self.xid = slot, operation, body, text, xid

    def __repr__(self):
        return f"slot {self.slot} op {self.operation} {self.text}"


class Generator:
    """Draws requests.

    - `extended_types`: TTL nodes succeed, so more of them are asked for.
    - `quotas`: whether nodes below /zookeeper/quota are touched.
    - `protected`: ACLs that keep some connections from reading. Then there are no watches: later releases, and ours,
      do not tell a connection what it may not read, and what is not told or not set changes what is told next.
    """

    def __init__(self, seed, slots=4, extended_types=False, quotas=True, protected=True, watching=True):
        self.random = random.Random(seed)
        self.slots = slots
        self.extended_types = extended_types
        self.quotas = quotas
        self.bad_acls = BAD_ACLS if protected else [acl for acl in BAD_ACLS if acl != UNREADABLE]
        self.acls = ACLS if protected else [acl for acl in ACLS if (1, "world", "anyone") in acl or acl == OPEN]
        self.watching = watching
        # slot -> path -> the first kind of watch that was set there: 3.8.0 knows only one kind per connection and path.
        self.marks = {slot: {} for slot in range(slots)}
        self.slot = 0
        self.known = {path: None for path in SPECIAL}     # path -> last Stat seen, or None
        self.gone = []

    # Learning.

    def learn(self, path, stat=None):
        if path not in self.known and len(self.known) > 400:
            victim = self.random.choice(list(self.known))
            if victim not in SPECIAL:
                del self.known[victim]
        self.known[path] = stat

    def forget(self, path):
        if path not in SPECIAL and path in self.known:
            del self.known[path]
            self.gone = self.gone[-20:] + [path]

    # Pieces.

    def chance(self, share):
        return self.random.random() < share

    def known_path(self):
        return self.random.choice(list(self.known))

    def path(self):
        """A path to read or change: mostly existing."""
        r = self.random.random()
        if r < 0.72:
            return self.known_path()
        if r < 0.80 and self.gone:
            return self.random.choice(self.gone)
        if r < 0.94:
            return self.new_path()
        return self.odd_path()

    def new_path(self):
        parent = self.known_path() if self.chance(0.5) else self.random.choice(["/", "/a", "/b", "/a/b"])
        if parent.count("/") > 4 or len(parent) > 400:
            parent = "/"
        return parent.rstrip("/") + "/" + self.random.choice(NAMES)

    def odd_path(self):
        r = self.random.random()
        if r < 0.45:
            return self.random.choice(INVALID_PATHS)
        if r < 0.6:
            return self.known_path() + self.random.choice(["/", "//x", "/.", "/..", "\0"])
        if r < 0.7:
            return None
        if r < 0.8:
            return ""
        return self.random.choice(ODD_VALID_PATHS)

    def quota_path(self):
        if not self.quotas:
            return self.new_path()
        base = self.random.choice(["/a", "/b", "/a/b", "/c"])
        return QUOTA_ROOT + base + self.random.choice(["", "/zookeeper_limits", "/zookeeper_stats"])

    def data(self):
        r = self.random.random()
        if r < 0.1:
            return None
        if r < 0.25:
            return b""
        if r < 0.9:
            return bytes(self.random.randrange(256) for _ in range(self.random.randrange(1, 24)))
        if r < 0.99:
            return bytes([self.random.randrange(256)]) * self.random.randrange(100, 5000)
        return bytes([self.random.randrange(256)]) * self.random.randrange(100_000, 1_000_000)

    def data_for(self, path):
        """What a client may put there: Apache 3.8.0 dies of a quota node that it cannot parse (see `hostile`)."""
        if path and (path.endswith("zookeeper_limits") or path.endswith("zookeeper_stats")):
            return self.limits()
        return self.data()

    def limits(self):
        count, size = self.random.randrange(-1, 12), self.random.choice([-1, 0, 10, 100, 5000])
        text = f"count={count},bytes={size}"
        if self.chance(0.5):
            text += f"=;byteHardLimit={self.random.choice([-1, 20, 200])};countHardLimit={self.random.randrange(-1, 8)}"
        return text.encode()

    def acl(self):
        return self.random.choice(self.bad_acls) if self.chance(0.06) else self.random.choice(self.acls)

    def version(self, path, field="version"):
        r = self.random.random()
        if r < 0.4:
            return -1
        stat = self.known.get(path)
        if r < 0.85 and stat is not None:
            return getattr(stat, field)
        return self.random.choice([0, 1, 2, -2, 5, 2147483647, -2147483648])

    # Requests: each returns (operation, body, text).

    def create(self, in_multi=False):
        r = self.random.random()
        if r < 0.06:
            path = self.odd_path()
        elif r < 0.13:
            path = self.quota_path()
        elif r < 0.18:
            path = self.known_path()
        else:
            path = self.new_path()
        flags = self.random.choice([0, 0, 0, 0, 1, 1, 2, 3, 3])
        # Within a multi 3.8.0 goes by the flags and not by the operation, so there they have to agree.
        if self.chance(0.03) and not in_multi:
            flags = self.random.choice([4, 5, 6, 7, -1, 8, 1 << 30])
        if flags in (2, 3) and path and self.chance(0.1):
            path = path + "/"
        data = self.data_for(path)
        acl = self.acl()
        kind = self.random.random()
        if kind < 0.1:
            operation, flags = CREATE_CONTAINER, 4 if in_multi or self.chance(0.9) else flags
            body = create_(path, data, acl, flags)
        elif kind < (0.25 if self.extended_types else 0.14):
            operation, flags = CREATE_TTL, self.random.choice([5, 6] if in_multi else [5, 6, 5, 6, 0, 1])
            ttl = self.random.choice([3_600_000, 86_400_000, (1 << 40) - 1, 3_600_000, 1 << 40, 0, -1])
            if flags < 5:
                # With a negative ttl Apache 3.8.0 logs this and dies of it, then and at every start (see `hostile`).
                ttl = abs(ttl)
            body = create_ttl_(path, data, acl, flags, ttl)
            return operation, body, f"{path!r} flags {flags} ttl {ttl} data {len(data or b'')} acl {acl}"
        else:
            operation = CREATE if kind < 0.6 or in_multi and kind < 0.8 else CREATE2
            body = create_(path, data, acl, flags)
        return operation, body, f"{path!r} flags {flags} data {len(data or b'')} acl {acl}"

    def delete(self):
        path = self.path()
        if path in SPECIAL and self.chance(0.8):
            path = self.new_path()
        version = self.version(path)
        return DELETE, path_version_(path, version), f"{path!r} version {version}"

    def set_data(self):
        path = self.quota_path() if self.chance(0.05) else self.path()
        data = self.data_for(path)
        version = self.version(path)
        return SET_DATA, set_data_(path, data, version), f"{path!r} data {len(data or b'')} version {version}"

    def set_acl(self):
        path, acl = self.path(), self.acl()
        if path == "/" and self.chance(0.9):
            acl = OPEN
        version = self.version(path, "aversion")
        return SET_ACL, set_acl_(path, acl, version), f"{path!r} acl {acl} version {version}"

    def check(self):
        path = self.path()
        version = self.version(path)
        return CHECK, path_version_(path, version), f"{path!r} version {version}"

    def multi(self):
        parts, texts = [], []
        for _ in range(self.random.choice([0, 1, 1, 2, 2, 3, 3, 4, 6])):
            make = self.random.choice([lambda: self.create(True), lambda: self.create(True), self.delete,
                                       self.set_data, self.set_data, self.check])
            operation, body, text = make()
            parts.append((operation, body))
            texts.append(f"{operation} {text}")
        if self.chance(0.03):
            parts.append(self.random.choice([(GET_DATA, path_watch_("/a")), (99, b""), (SET_ACL, set_acl_("/a", OPEN)),
                                             (DELETE, b"\0\0")]))
            texts.append(f"odd {parts[-1][0]}")
        return MULTI, multi_(parts), "[" + "; ".join(texts) + "]"

    def multi_read(self):
        parts = []
        for _ in range(self.random.randrange(0, 5)):
            path = self.path()
            parts.append((self.random.choice([GET_DATA, GET_CHILDREN]), path_watch_(path, self.chance(0.3))))
        if self.chance(0.05):
            parts.append((EXISTS, path_watch_("/a")))
        return MULTI_READ, multi_(parts), f"{parts!r}"

    def may_watch(self, path, kind):
        """Whether a watch of this kind may be set on the path by the slot in whose name is drawn; takes note of it.

        Not on the empty path: 3.8.0 reads the root under it, but keeps the watch where nothing ever fires.
        """
        return path != "" and self.watching and self.marks[self.slot].setdefault(path, kind) == kind

    def forget_watches(self, slot):
        """The slot got a new connection, which has no watches."""
        self.marks[slot] = {}

    def read(self):
        operation = self.random.choice([EXISTS, GET_DATA, GET_CHILDREN, GET_CHILDREN2])
        path, watch = self.path(), self.chance(0.5)
        watch = watch and self.may_watch(path, "standard")
        return operation, path_watch_(path, watch), f"{path!r} watch {watch}"

    def other_read(self):
        operation = self.random.choice([GET_ACL, GET_ACL, SYNC, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER, WHO_AM_I])
        path = self.path()
        if operation == WHO_AM_I:
            return operation, b"", ""
        if operation == GET_EPHEMERALS and self.chance(0.5):
            path = self.random.choice(["/", "/a", None, "", "  ", "a", "/a/"])
        return operation, string_(path), f"{path!r}"

    def watches(self):
        if not self.watching:
            return self.other_read()
        r = self.random.random()
        path = self.path()
        if r < 0.45:
            mode = self.random.choice([0, 0, 1, 1, 2, -1])
            if path is None or not is_valid(path):
                # 3.8.0 keeps a watch where no node can ever be, ours refuses it.
                return self.read()
            if mode in (0, 1) and not self.may_watch(path, "persistent" if mode == 0 else "recursive"):
                return self.read()
            return ADD_WATCH, string_(path) + int_(mode), f"{path!r} mode {mode}"
        if r < 0.7:
            operation = self.random.choice([CHECK_WATCHES, REMOVE_WATCHES])
            kind = self.random.choice([1, 2, 3, 1, 2, 3, 0, 9])
            if self.marks[self.slot].get(path, "standard") != "standard":
                # 3.8.0 keeps such a watch in both tables and takes it out of one at a time.
                kind = 3
            return operation, string_(path) + int_(kind), f"{path!r} type {kind}"
        paths = [[path for path in (self.path() or "/a" for _ in range(self.random.randrange(0, 4)))
                  if self.may_watch(path, kind)]
                 for kind in ("standard", "standard", "standard", "persistent", "recursive")]
        zxid = self.random.randrange(0, 1 + max((stat.mzxid for stat in self.known.values() if stat), default=0) + 2)
        operation = self.random.choice([SET_WATCHES, SET_WATCHES2])
        lists = paths[:3] if operation == SET_WATCHES else paths
        body = long_(zxid) + b"".join(vector_(part, string_) for part in lists)
        return operation, body, f"after {zxid} {lists}"

    def odd(self):
        """What a broken client might send: reserved operations, cut and damaged bodies."""
        r = self.random.random()
        if r < 0.12:
            operation = self.random.choice([10, 23, 99, 108, 12345, -2, -12, 0, 2147483647, -2147483648])
            return operation, b"", "unknown operation"
        if r < 0.2:
            return DELETE_CONTAINER, string_(self.known_path()), "deleteContainer"
        if r < 0.25:
            return SASL, buffer_(b"token"), "sasl without a provider"
        if r < 0.32:
            body = string_("server.1=x") + string_(None) + string_(None) + long_(-1)
            return RECONFIG, body, "reconfig"
        make = self.random.choice([self.create, self.delete, self.set_data, self.set_acl, self.multi, self.multi_read,
                                   self.read, self.other_read, self.watches])
        operation, body, text = make()
        if len(body) > 2000 or operation in (SYNC, GET_EPHEMERALS):
            return operation, body, text
        if r < 0.6 and body:
            cut = self.random.randrange(len(body))
            return operation, body[:cut], f"cut at {cut} of {len(body)}: {text}"
        if r < 0.75:
            return operation, body + bytes(self.random.randrange(1, 9)), f"bytes behind: {text}"
        return operation, body, text

    KINDS = (("create", 24), ("delete", 9), ("set_data", 11), ("set_acl", 5), ("multi", 9), ("multi_read", 3),
             ("read", 18), ("other_read", 8), ("watches", 8), ("odd", 5))

    def request(self, slot=None):
        kinds, weights = zip(*self.KINDS)
        self.slot = self.random.randrange(self.slots) if slot is None else slot
        operation, body, text = getattr(self, self.random.choices(kinds, weights)[0])()
        xid = self.random.choice([0, -3, -8, 2147483647, -2147483648, 77]) if self.chance(0.02) else None
        return Request(self.slot, operation, body, text, xid)

    def observe(self, request, error, value):
        """Takes note of what the reference answered."""
        path = None
        reader = Reader(request.body)
        try:
            path = reader.string()
        except (Short, UnicodeError):
            return
        operation = request.operation
        if operation in (CREATE, CREATE2, CREATE_CONTAINER, CREATE_TTL) and error == 0:
            self.learn(value[0], value[1] if len(value) > 1 and isinstance(value[1], Stat) else None)
        elif operation == DELETE and error in (0, -101):
            self.forget(path)
        elif operation in (EXISTS, SET_DATA, SET_ACL) and error == 0:
            self.learn(path, value[0])
        elif operation in (GET_DATA, GET_CHILDREN2, GET_ACL) and error == 0:
            self.learn(path, value[1])
        elif operation == EXISTS and error == -101:
            self.forget(path)
        elif operation == MULTI and error == 0:
            for result in value:
                if result[0] in (CREATE, CREATE2):
                    self.learn(result[1], result[2] if len(result) > 2 else None)
