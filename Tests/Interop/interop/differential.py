"""The same frames to Apache's server and to ours: replies, events, trees and counters must agree.

Requests are sent one at a time to both servers, so that even zxids have to be equal. Session ids and times cannot
be: ids are replaced by the number of the session, and a time is checked against the time its server gave to the same
zxid before. What may differ nevertheless stands in `TOLERATED`, each entry with its reason.
"""

from . import generator, harness
from .harness import *
from .jute import *


class Side:
    """One server with its connections, and how its replies are made comparable."""

    def __init__(self, name, server):
        self.name, self.server = name, server
        self.connections = {}
        self.sessions = {}
        self.first_session = None
        self.times = {0: 0}

    def add_session(self, session):
        if session not in self.sessions:
            if self.first_session is None:
                self.first_session = session
            # Ids of one server count up by one per session.
            self.sessions[session] = f"session+{session - self.first_session}"
        return self.sessions[session]

    def time(self, zxid, value):
        known = self.times.setdefault(zxid, value)
        return "time of its zxid" if known == value else f"{value} although zxid {zxid} was at {known}"

    def normal(self, value):
        if isinstance(value, Stat):
            owner = self.sessions.get(value.owner, value.owner)
            return value._replace(ctime=self.time(value.czxid, value.ctime), mtime=self.time(value.mzxid, value.mtime),
                                  owner=owner)
        if isinstance(value, Event):
            return tuple(value)
        if isinstance(value, list) and sum(item[1:2] == ("digest",) for item in value) > 1:
            # An `auth` entry becomes one entry per identity of the connection, in no order.
            value = sorted(value)
        if isinstance(value, (tuple, list)):
            return tuple(self.normal(item) for item in value)
        return value

    # One step, in halves so that both servers work at the same time.

    def send(self, request):
        connection = self.connections.get(request.slot)
        if connection is None:
            return
        xid = request.xid
        if xid is None:
            connection.xid += 1
            xid = connection.xid
        try:
            connection.send(frame_(int_(xid) + int_(request.operation) + request.body))
        except Closed:
            pass

    def outcome(self, request):
        """What came back: ("reply", xid, zxid, error, value) or ("closed",)."""
        connection = self.connections.get(request.slot)
        if connection is None:
            return ("closed",)
        try:
            reply = connection.reply()
        except Closed:
            self.drop(request.slot)
            return ("closed",)
        except TimeoutError:
            self.drop(request.slot)
            return ("no answer",)
        if reply.error:
            value = (("body", reply.body),) if reply.body else ()
        else:
            try:
                value = decode_body(request.operation, reply.body)
            except (Short, ValueError) as problem:
                value = ("undecodable", repr(problem), reply.body)
        xid = reply.xid
        if request.xid is None and xid == connection.xid:
            xid = "its xid"
        return ("reply", xid, reply.zxid, reply.error, value)

    def drop(self, slot):
        connection = self.connections.get(slot)
        if connection is not None:
            connection.close()
            self.connections[slot] = None

    def send_pings(self):
        for connection in self.connections.values():
            if connection is not None:
                try:
                    connection.send(frame_(int_(-2) + int_(PING)))
                except Closed:
                    pass

    def events(self, unordered):
        """Events of every slot up to the answer to its ping, and which slots are closed now."""
        found = {}
        for slot, connection in sorted(self.connections.items()):
            if connection is None:
                continue
            state = "open"
            try:
                reply = connection.reply()
                if reply.xid != -2 or reply.error or reply.body:
                    state = ("not a ping reply", reply)
            except Closed:
                state = "closed"
            except TimeoutError:
                state = "silent"
            events = [self.normal(event) for event in connection.take_events()]
            if unordered:
                events.sort(key=repr)
            if events or state != "open":
                found[slot] = (state, tuple(events))
            if state != "open":
                self.drop(slot)
        return found


#: What bursts are made of. Without multi and setACL: with requests in flight 3.8.0 answers them by luck.
PIPELINED = (CREATE, CREATE2, CREATE_CONTAINER, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, GET_CHILDREN,
             GET_CHILDREN2, SYNC, MULTI_READ, GET_EPHEMERALS, GET_ALL_CHILDREN_NUMBER, WHO_AM_I)


class Inconclusive(Exception):
    """The reference lost a request: 3.8.0 sometimes stops reading a connection that was just set up."""


def shown(value):
    """A value as a person can read it: long byte strings are cut."""
    def short(item):
        if isinstance(item, bytes) and len(item) > 48:
            return item[:32] + b"... %d bytes" % len(item)
        if isinstance(item, tuple) and not hasattr(item, "_fields"):
            return tuple(short(part) for part in item)
        return item
    return repr(short(value))[:1200]


class Tolerated:
    """A difference that is no fault, with its reason; counted, so that the table stays honest."""

    def __init__(self, reason, applies, leaves_out_zxid=False):
        self.reason, self.applies, self.leaves_out_zxid, self.count = reason, applies, leaves_out_zxid, 0


def both_replied(apache, ours):
    return isinstance(apache, tuple) and apache[:1] == ours[:1] == ("reply",)


def with_create_results(outcome):
    """The outcome of a multi with every create2 result as that of a create."""
    return outcome[:4] + (tuple(result[:2] if result[0] == CREATE else (CREATE, result[1]) if result[0] == CREATE2
                                else result for result in outcome[4]),)


def has_null_identity(request):
    return "None)" in request.text and "acl" in request.text


# Each: reason, predicate(request, what Apache answered, what ours answered) -> bool. Outcomes are normalised:
# ("reply", xid, zxid, error, value). The text before the first semicolon is what a run reports.
def tolerated_table():
    return [
        Tolerated("3.8.0 sends the results so far behind the -5 header of a multiRead that breaks off; "
                  "a reply with an error has no body",
                  lambda request, apache, ours: request.operation == MULTI_READ and both_replied(apache, ours)
                  and apache[:4] == ours[:4] and apache[3] == -5),
        Tolerated("3.8.0 sends an empty result behind the -5 header of a multi it stumbled over, and leaves its zxid out "
                  "of the log; a reply with an error has no body",
                  lambda request, apache, ours: request.operation == MULTI and both_replied(apache, ours)
                  and apache[3] == ours[3] == -5 and ours[2] - apache[2] in (0, 1), leaves_out_zxid=True),
        Tolerated("3.8.0 answers a create2 within a multi as a create; 3.8.2 and later, and ours, with the Stat",
                  lambda request, apache, ours: request.operation == MULTI and both_replied(apache, ours)
                  and apache[3] == ours[3] == 0 and with_create_results(apache) == with_create_results(ours)),
        Tolerated("3.8.0 lets anybody ask whether a node exists; 3.8.4 and later, and ours, want READ (ZOOKEEPER-2590)",
                  lambda request, apache, ours: request.operation == EXISTS and both_replied(apache, ours)
                  and apache[:3] == ours[:3] and apache[3] == 0 and ours[3] == -102),
        Tolerated("3.8.0 stumbles over a null identity in an ACL; the list is invalid",
                  lambda request, apache, ours: has_null_identity(request) and both_replied(apache, ours)
                  and apache[:3] == ours[:3] and apache[3] == -5
                  and (ours[3] == -114 or request.operation == MULTI and (-1, -114, -114) in ours[4])),
        Tolerated("3.8.0 stumbles over a path without a slash when it looks for watches; ours has none there",
                  lambda request, apache, ours: request.operation in (CHECK_WATCHES, REMOVE_WATCHES)
                  and both_replied(apache, ours) and apache[:3] == ours[:3] and (apache[3], ours[3]) == (-5, -121)
                  and not request.text.removeprefix("bytes behind: ").startswith(("'/", '"/'))),
        Tolerated("3.8.0 says yes to checkWatches when anybody at all watches the path; ours when the asking connection does",
                  lambda request, apache, ours: request.operation == CHECK_WATCHES and both_replied(apache, ours)
                  and apache[:3] == ours[:3] and (apache[3], ours[3]) == (0, -121)),
        Tolerated("3.8.0 answers a null path with -8 where it looks at the path first, with -5 where it stumbles over it, and "
                  "echoes it to a sync; ours always answers -5",
                  lambda request, apache, ours: request.text.removeprefix("bytes behind: ").startswith("None")
                  and both_replied(apache, ours) and apache[:3] == ours[:3] and ours[3] == -5
                  and (apache[3] in (-5, -6, -8, -121) or request.operation == SYNC)),
        Tolerated("3.8.0 counts the root among its own descendants when it is asked for by the empty path; ours does not",
                  lambda request, apache, ours: request.operation == GET_ALL_CHILDREN_NUMBER and request.text.endswith("''")
                  and both_replied(apache, ours) and apache[:4] == ours[:4] and apache[4][0] == ours[4][0] + 1),
        Tolerated("3.8.0 forgets the connection of a session when an earlier one of the same session is torn down "
                  "late; it then leaves it open when the session moves",
                  lambda request, apache, ours: request.operation == "moved" and ours == (True,)),
        Tolerated("3.8.0 sometimes leaves a connection open after it refused an unknown operation or closed the session; "
                  "ours must close it",
                  lambda request, apache, ours: apache == ("closed", False) and ours == ("closed", True)),
    ]


class Differential:
    def __init__(self, seed, apache, ours, slots=4, **options):
        self.seed = seed
        self.sides = [Side("apache", apache), Side("ours", ours)]
        self.generator = generator.Generator(seed, slots, **options)
        self.random = self.generator.random
        self.slots = slots
        self.lost = {}
        self.left_out = 0
        self.steps = 0
        self.differences = []
        self.tolerated = tolerated_table()
        self.operations = {}

    # Comparing.

    def compare(self, request, apache, ours, what):
        if apache == ours:
            if both_replied(apache, ours) and apache[2] > 0:
                self.left_out = 0
            return
        if self.left_out and both_replied(apache, ours) and 0 < ours[2] - apache[2] <= self.left_out:
            # Apache's server left a zxid out of its log, so it seems behind until the next write.
            apache = apache[:2] + (ours[2],) + apache[3:]
            if apache == ours:
                return
        for entry in self.tolerated:
            if entry.applies(request, apache, ours) or harness.proving and entry.applies(request, ours, apache):
                entry.count += 1
                if entry.leaves_out_zxid:
                    self.left_out += 1
                return
        self.differences.append(
            f"step {self.steps} ({what}), {request!r}\n      apache: {shown(apache)}\n      ours:   {shown(ours)}")
        if len(self.differences) >= self.limit:
            raise Failure(self.report())

    limit = 12

    def report(self):
        return (f"seed {self.seed}: {len(self.differences)} differences in {self.steps} steps\n    "
                + "\n    ".join(self.differences))

    # Steps.

    def call(self, request, look=True):
        self.steps += 1
        self.operations[request.operation] = self.operations.get(request.operation, 0) + 1
        for side in self.sides:
            side.send(request)
        outcomes = [side.normal(side.outcome(request)) for side in self.sides]
        if outcomes[0] == ("no answer",):
            raise Inconclusive(f"the reference did not answer {request!r}")
        self.compare(request, *outcomes, "reply")
        own = [tuple(side.normal(event) for event in self.take(side, request.slot)) for side in self.sides]
        unordered = request.operation == CLOSE_SESSION
        if unordered:
            own = [tuple(sorted(part, key=repr)) for part in own]
        self.compare(request, *own, "events before the reply")
        if outcomes[0][0] == "reply" and outcomes[0][:4] == outcomes[1][:4] and (
                outcomes[0][3] == -115 and request.operation == AUTH or outcomes[0][2:4] == (-1, -6)
                or outcomes[0][3] == 0 and request.operation == CLOSE_SESSION):
            # The server closes after this answer, but a ping could slip in before.
            closed = []
            for side in self.sides:
                closed.append(("closed", side.connections[request.slot].closed_by_server(1)))
                side.drop(request.slot)
            self.compare(request, *closed, "connection closed after the answer")
        quiet = (request.operation in (EXISTS, GET_DATA, GET_CHILDREN, GET_CHILDREN2, GET_ACL, PING)
                 and outcomes[0][0] == "reply")
        if look and not quiet:
            self.look(request, unordered)
        return outcomes

    @staticmethod
    def take(side, slot):
        connection = side.connections.get(slot)
        return connection.take_events() if connection is not None else []

    def look(self, request, unordered=False):
        for side in self.sides:
            side.send_pings()
        events = [side.events(unordered) for side in self.sides]
        self.compare(request, *events, "events and states after")
        # A slot that is closed at one side only would make everything after it differ.
        for slot in range(self.slots):
            states = [side.connections.get(slot) is None for side in self.sides]
            if states[0] != states[1]:
                for side in self.sides:
                    side.drop(slot)

    def connect(self, slot, session=None, **arguments):
        """Opens (or reattaches) the session of a slot on both sides and compares the responses."""
        self.steps += 1
        responses = []
        request = generator.Request(slot, "connect", b"", f"reattach {session is not None} {arguments}")
        for index, side in enumerate(self.sides):
            connection = Connection(side.server.port, timeout=6)
            wanted = dict(arguments)
            if session is not None:
                wanted["session"], wanted["password"] = session[index]
                if "password" in arguments:
                    wanted["password"] = arguments["password"]
            try:
                timeout, identifier, password, read_only = connection.connect(**wanted)
                label = side.add_session(identifier) if identifier else 0
                right = password == (session_password(identifier) if identifier else bytes(16))
                responses.append(("response", timeout, label, right, read_only))
            except Closed:
                timeout, identifier = 0, 0
                responses.append(("closed",))
            side.drop(slot)
            self.generator.forget_watches(slot)
            if timeout > 0:
                side.connections[slot] = connection
            else:
                if not connection.closed_by_server():
                    responses[-1] += ("left open",)
                connection.close()
                side.connections[slot] = None
        self.compare(request, *responses, "connect")
        self.look(request)
        return responses

    def session(self, slot):
        """(id, password) of the slot's session on both sides, or None."""
        pairs = []
        for side in self.sides:
            connection = side.connections.get(slot)
            if connection is None:
                return None
            pairs.append((connection.session, connection.password))
        return pairs

    def authenticate(self, slot, scheme, credential):
        body = int_(0) + string_(scheme) + buffer_(credential)
        request = generator.Request(slot, AUTH, body, f"{scheme} {credential!r}", xid=-4)
        return self.call(request)

    def session_step(self):
        """Something that happens to a connection or a session rather than to a node."""
        slot = self.random.randrange(self.slots)
        current = self.session(slot)
        r = self.random.random()
        if current is None:
            lost = self.lost.get(slot)
            if lost and r < 0.6:
                self.connect(slot, session=lost, timeout=300_000)
                if self.sides[0].connections.get(slot) is not None:
                    return
            self.lost.pop(slot, None)
            self.connect(slot, timeout=self.random.choice([300_000, 300_000, 1, 999_999_999, -5]),
                         read_only=self.random.choice([False, None, True]))
            return
        self.lost[slot] = current
        if r < 0.2:
            self.call(generator.Request(slot, CLOSE_SESSION, b"", "close"))
            for side in self.sides:
                side.drop(slot)
            if self.random.random() < 0.3:
                self.connect(slot, session=current, timeout=300_000)
        elif r < 0.45:
            for side in self.sides:
                side.drop(slot)
            self.connect(slot, session=current, timeout=self.random.choice([300_000, 250_000, 1]))
        elif r < 0.55:
            # The session moves while its old connection is open.
            for side in self.sides:
                side.old = side.connections[slot]
                side.connections[slot] = None
            self.connect(slot, session=current, timeout=300_000)
            request = generator.Request(slot, "moved", b"", "old connection after a move")
            closed = [(side.old.closed_by_server(2),) for side in self.sides]
            self.compare(request, *closed, "old connection closed")
            for side in self.sides:
                side.old.close()
        elif r < 0.62:
            for side in self.sides:
                side.drop(slot)
            self.connect(slot, session=current, timeout=300_000, password=b"\x01" * 16)
        elif r < 0.68:
            for side in self.sides:
                side.drop(slot)
            self.connect(slot, session=current, timeout=300_000, last_zxid=1 << 50)
        else:
            scheme, credential = self.random.choice(
                generator.IDENTITIES + [("digest", b"super:test"), ("digest", b"nocolon"), ("digest", b""),
                                        ("nosuch", b"x"), ("world", b"x"), ("ip", b"10.0.0.1"), ("auth", b"")])
            if credential == b"super:test" and self.random.random() < 0.7:
                return
            self.authenticate(slot, scheme, credential)

    def run(self, steps):
        for slot in range(self.slots):
            self.connect(slot, timeout=300_000)
        while self.steps < steps:
            if self.random.random() < 0.03:
                self.session_step()
                continue
            request = self.generator.request()
            if self.session(request.slot) is None:
                self.session_step()
                continue
            outcome = self.call(request)[0]
            if outcome[0] == "reply" and outcome[4][:1] != ("undecodable",):
                self.generator.observe(request, outcome[3], outcome[4])

    def pipelined(self, bursts, length=40):
        """Bursts on one connection without waiting: replies and events in the same order, with the same zxids."""
        slot = 0
        for _ in range(bursts):
            if self.session(slot) is None:
                self.connect(slot, timeout=300_000)
            requests = []
            while len(requests) < length:
                request = self.generator.request(slot)
                if request.operation in PIPELINED and request.xid is None and len(request.body) < 10_000:
                    requests.append(request)
            self.steps += length
            streams = []
            for side in self.sides:
                connection = side.connections[slot]
                data = b""
                for request in requests:
                    connection.xid += 1
                    data += frame_(int_(connection.xid) + int_(request.operation) + request.body)
                connection.send(data)
            for side in self.sides:
                connection, stream = side.connections[slot], []
                first = connection.xid - length
                for index, request in enumerate(requests):
                    reply = connection.reply()
                    events = tuple(side.normal(event) for event in connection.take_events())
                    try:
                        value = reply.body if reply.error else decode_body(request.operation, reply.body)
                    except (Short, ValueError):
                        value = ("undecodable", reply.body)
                    # The zxid of a reply is the last one processed when the reply was made: with more requests in
                    # flight it is only bounded, so it is left out for reads.
                    stream.append((reply.xid - first == index + 1, events, reply.error, side.normal(value)))
                streams.append(stream)
            for index, request in enumerate(requests):
                outcomes = [("reply", "its xid", 0, stream[index][2], stream[index][3]) for stream in streams]
                self.compare(request, *outcomes, "pipelined reply")
                self.compare(request, *[stream[index][:2] for stream in streams], "pipelined order and events")
                if streams[0][index][2] == 0 or streams[0][index][2] == -101:
                    self.generator.observe(request, streams[0][index][2], streams[0][index][3])
            self.look(requests[-1])

    # The whole state.

    def trees(self):
        """The whole tree of both sides, normalised."""
        found = []
        for side in self.sides:
            connection = open_session(side.server.port, super_user=True)
            side.add_session(connection.session)
            tree = {path: side.normal(entry) for path, entry in dump_tree(connection).items()}
            found.append(tree)
            connection.close_session()
        return found

    def compare_state(self, what):
        apache, ours = self.trees()
        for path in sorted(set(apache) | set(ours)):
            request = generator.Request(-1, "tree", string_(path), path)
            self.compare(request, apache.get(path), ours.get(path), f"tree {what}")
        keys = ("watch_count", "ephemerals_count", "global_sessions")
        deadline = time.monotonic() + 5
        while True:
            # Connections that were just dropped may still be on their way out.
            found = [{key: side.server.metrics().get("zk_" + key) for key in keys} for side in self.sides]
            if found[0] == found[1] or time.monotonic() > deadline:
                break
        self.compare(generator.Request(-1, "mntr", b"", "counters"), *found, f"counters {what}")
        return apache


# The checks.

SETTINGS = {"minSessionTimeout": "200000", "maxSessionTimeout": "600000", "forceSync": "no"}
PROPERTIES = {"znode.container.checkIntervalMs": "86400000"}


def compared(seed, steps, bursts, settings=None, **options):
    settings = {**SETTINGS, **(settings or {})}
    for attempt in range(3):
        with Apache(settings=settings, properties=PROPERTIES) as apache, \
                Ours(settings=settings, properties=PROPERTIES) as ours:
            run = Differential(seed, apache, ours, **options)
            try:
                run.run(steps)
                run.compare_state("after single requests")
                run.pipelined(bursts)
                run.compare_state("after bursts")
            except Inconclusive as reason:
                if attempt == 2:
                    raise Failure(str(reason))
                continue
            except (Closed, TimeoutError, ConnectionError, ValueError) as problem:
                raise Failure(f"{problem!r}; apache {'alive' if apache.alive() else 'dead'}, "
                              f"ours {'alive' if ours.alive() else 'dead'}: {ours.log_tail()}\n    {run.report()}")
            if run.differences:
                raise Failure(run.report())
            if ours.kind == "conclave":
                expect_equal(ours.metrics().get("zk_digest_mismatches_count", "0"), "0", "digest mismatches of ours")
            apache.stop()
            ours.stop()
            ours.start()
            apache.start()
            run.compare_state("after a restart")
            if run.differences:
                raise Failure(run.report())
            lines = [f"{run.steps} steps, {len(run.operations)} operations"]
            lines += [f"tolerated {entry.count} ×: {entry.reason.split(';')[0]}"
                      for entry in run.tolerated if entry.count]
            return "\n".join(lines)


def seeds(default):
    text = os.environ.get("INTEROP_SEEDS")
    return [int(part) for part in text.split(",")] if text else default


def comparison(default_seeds, steps, bursts, settings=None, **options):
    def run():
        return "\n".join(f"seed {seed}: {compared(seed, steps, bursts, settings, **options)}"
                         for seed in seeds(default_seeds))
    return run


CHECKS = [
    ("frames", "the same seeded frames to both servers: equal replies, events, zxids, trees",
     comparison([1, 23], 6000, 40, protected=False)),
    ("frames-protected", "the same with nodes that not everybody may read, without watches",
     comparison([10], 6000, 40, protected=True, watching=False)),
    ("frames-extended", "the same with TTL nodes and enforced quotas",
     comparison([13], 6000, 0, {"extendedTypesEnabled": "true", "enforceQuota": "true"}, protected=False,
                extended_types=True)),
]
