"""Ensembles of servers of either kind: who they are, who leads, whether they agree; load that goes on through failures.

Kinds are letters: `c` is the server that is judged, `a` Apache's. "cac" is an ensemble of three with the ids 1 to 3.
"""

import signal
import sys
import threading

from . import harness
from .harness import *
from .jute import *
from .proxy import Wires

#: What a server may take to find its leader and catch up, on a machine that does other things too.
PATIENCE = 60.0


class ApacheMember(Apache):
    def command(self, configuration):
        command = super().command(configuration)
        # Says how it was brought up to date, and by whom.
        loggers = ["Learner", "LearnerHandler"] + os.environ.get("INTEROP_APACHE_LOGGERS", "").split()
        command[1:1] = [f"-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.quorum.{name}=info"
                        for name in loggers] + ["-Xmx512m"]
        command.remove("-Xmx2g")
        return command


class ConclaveMember(Conclave):
    def command(self, configuration):
        return super().command(configuration) + ["--verbose"]


#: What a learner says when it has been told how to catch up, by kind of server.
METHODS = {
    "apache": {"DIFF": "Getting a diff from the leader", "SNAP": "Getting a snapshot from leader",
               "TRUNC": "Truncating log to get in sync with the leader"},
    "conclave": {"DIFF": "sends what is missing from", "SNAP": "sends a snapshot at",
                 "TRUNC": "never had what follows"},
}


class Ensemble:
    """Servers 1, 2, … of the given kinds; the last `observers` have no vote."""

    def __init__(self, kinds, observers=0, settings=None, wired=False):
        self.kinds = kinds
        self.ids = list(range(1, len(kinds) + 1))
        self.voters = self.ids[:len(kinds) - observers]
        ports = {id_: (free_port(), free_port()) for id_ in self.ids}
        self.quorum_port = {id_: ports[id_][0] for id_ in self.ids}
        self.election_port = {id_: ports[id_][1] for id_ in self.ids}
        apaches = [id_ for id_, letter in zip(self.ids, kinds) if letter == "a" or harness.proving]
        self.wires = Wires(ports, patient_for=apaches) if wired else None
        self.servers = {}
        for id_, letter in zip(self.ids, kinds):
            make = ConclaveMember if letter == "c" and not harness.proving else ApacheMember
            merged = {"tickTime": "2000", "initLimit": "10", "syncLimit": "5"}
            merged.update(settings or {})
            for other in self.ids:
                host, quorum, election = "127.0.0.1", *ports[other]
                if self.wires and other != id_:
                    quorum, election = self.wires.ports(id_, other)
                elif self.wires:
                    # The others must not learn the way around the wires.
                    host = "0.0.0.0"
                role = "" if other in self.voters else ":observer"
                merged[f"server.{other}"] = f"{host}:{quorum}:{election}{role}"
            if id_ not in self.voters:
                merged["peerType"] = "observer"
            server = make(settings=merged)
            with open(os.path.join(server.data, "myid"), "w") as file:
                file.write(f"{id_}\n")
            self.servers[id_] = server

    def __getitem__(self, id_):
        return self.servers[id_]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            if server.process is not None:
                end_process(server.process)
                server.process = None
        if self.wires:
            self.wires.close()

    # Processes.

    def launch(self, *ids):
        for id_ in ids or self.ids:
            self[id_].launch()

    def start(self, *ids):
        """Starts these servers, or all, and returns the leader as soon as all of them serve."""
        self.launch(*ids)
        return self.wait_serving(*(ids or self.ids))

    def kill(self, *ids):
        """SIGKILL at once for all of them."""
        for id_ in ids:
            os.kill(self[id_].pid, signal.SIGKILL)
        for id_ in ids:
            self[id_].kill()

    def pause(self, *ids):
        """Stops these processes and returns when none of their threads runs any more."""
        for id_ in ids:
            os.kill(self[id_].pid, signal.SIGSTOP)
        for id_ in ids:
            wait_until(self[id_].is_stopped, f"server {id_} stands still", PATIENCE, 0.0005)

    def resume(self, *ids):
        for id_ in ids:
            os.kill(self[id_].pid, signal.SIGCONT)

    def letter(self, id_):
        return self.kinds[id_ - 1]

    @property
    def running(self):
        return [id_ for id_ in self.ids if self[id_].alive()]

    def expect_alive(self, *ids):
        for id_ in ids or self.ids:
            expect(self[id_].alive(), f"server {id_} ended: {self[id_].log_tail()}")

    # Roles.

    def role(self, id_):
        """`leader`, `follower`, `observer`, or None of a server that does not serve."""
        if not self[id_].alive():
            return None
        found = re.search(r"Mode: (leader|follower|observer)", word(self[id_].port, "srvr", 2) or "")
        return found.group(1) if found else None

    def leader(self, among=None):
        for id_ in among or self.voters:
            if self.role(id_) == "leader":
                return id_
        return None

    def wait_leader(self, *among, seconds=PATIENCE):
        return wait_until(lambda: self.leader(among), f"one of {among or self.voters} leads{self.tails()}", seconds)

    def wait_serving(self, *ids, seconds=PATIENCE):
        """Waits until these servers serve clients; returns the one of them that leads, or None."""
        leader = None
        for id_ in ids or self.ids:
            def serves():
                expect(self[id_].alive(), f"server {id_} ended: {self[id_].log_tail()}")
                return self.role(id_)
            try:
                role = wait_until(serves, f"server {id_} serves", seconds)
            except Failure as failure:
                raise Failure(f"{failure}{self.tails()}")
            if role == "leader":
                leader = id_
        return leader

    def tails(self):
        return "".join(f"\n--- server {id_} ({server.kind}, {'alive' if server.alive() else 'ended'})\n"
                       f"{server.log_tail(1200)}" for id_, server in self.servers.items())

    # Clients.

    def ports(self, *ids):
        return [self[id_].port for id_ in ids or self.ids]

    def session(self, id_, **options):
        def opened():
            connection = Connection(self[id_].port)
            connection.socket.settimeout(5)
            try:
                connection.connect(timeout=options.get("timeout", 30_000))
            except (Closed, TimeoutError):
                # Apache's server now and then does not read a new connection until it is closed.
                if self[id_].kind == "apache":
                    connection.close()
                    return None
                raise
            connection.socket.settimeout(connection.timeout)
            return connection.pings_when_silent() if self[id_].kind == "apache" else connection
        connection = wait_until(opened, f"server {id_} takes a session{self.tails()}", PATIENCE)
        expect(connection.negotiated != 0, f"server {id_} refused a new session")
        if options.get("super_user"):
            connection.authenticate()
        return connection

    def zxid(self, id_):
        """The last transaction that a server applied; None of one that does not serve."""
        found = re.search(r"Zxid: 0x([0-9a-f]+)", word(self[id_].port, "srvr", 2) or "")
        return int(found.group(1), 16) if found else None

    def wait_equal(self, *ids, seconds=PATIENCE):
        """Waits until these servers have applied the same transactions; returns the last zxid."""
        ids = ids or self.ids

        def equal():
            found = {self.zxid(id_) for id_ in ids}
            if None in found:
                return None
            # The beginning of an epoch is no transaction: a leader counts it as done, Apache's follower does not.
            if len(found) > 1:
                found -= {zxid for zxid in found if zxid & 0xFFFFFFFF == 0}
            return max(found) if len(found) == 1 else None
        try:
            return wait_until(equal, "all have the same last zxid", seconds)
        except Failure as failure:
            raise Failure(f"{failure}: {[(id_, hex(self.zxid(id_) or 0)) for id_ in ids]}{self.tails()}")

    # How a server caught up.

    def mark(self, id_):
        """Where its output ends now."""
        try:
            return os.path.getsize(self[id_].output)
        except OSError:
            return 0

    def method(self, id_, mark):
        """How the server was first brought up to date since the mark: `DIFF`, `SNAP` or `TRUNC`.

        The first time, because Apache's follower often begins again when there are writes meanwhile (ZOOKEEPER-4643).
        """
        with open(self[id_].output, "rb") as file:
            file.seek(mark)
            text = file.read().decode("utf-8", "replace")
        found = [(text.find(words), name) for name, words in METHODS[self[id_].kind].items() if words in text]
        return min(found)[1] if found else None

    # Agreement.

    def trees(self, *ids):
        found = {}
        for id_ in ids or self.running:
            session = self.session(id_, super_user=True)
            expect_equal(session.call(SYNC, string_("/")).error, 0, f"sync at server {id_}")
            found[id_] = dump_tree(session)
            # No transaction of the clients': each server fills it in for itself.
            found[id_].pop("/zookeeper/config", None)
            session.close_session()
        return found

    def agree(self, *ids, digests=True):
        """All of these servers have the same tree, to the last field, the same sessions, and no digest went wrong.

        `digests`: false where Apache's 3.8.0 may have lost count of its own, which it does, among servers of its kind too,
        when it catches up while others write. What it proposes then is wrong for everybody.
        """
        ids = ids or self.running
        trees = self.trees(*ids)
        first = ids[0]
        lines = []
        for id_ in ids[1:]:
            for path in sorted(set(trees[first]) | set(trees[id_])):
                if trees[first].get(path) != trees[id_].get(path):
                    lines.append(f"{path}: server {first} ({self[first].kind}) has {trees[first].get(path)!r:.400}, "
                                 f"server {id_} ({self[id_].kind}) has {trees[id_].get(path)!r:.400}")
        if lines:
            raise Failure(f"{len(lines)} differences between the trees\n" + "\n".join(lines[:12]) + self.tails())
        self.wait_equal(*ids)
        counts = {id_: self[id_].metrics().get("zk_digest_mismatches_count", "0") for id_ in ids}
        if digests or not any(self[id_].kind == "apache" and counts[id_] != "0" for id_ in ids):
            for id_ in ids:
                expect_equal(counts[id_], "0", f"digest mismatches of server {id_} ({self[id_].kind})")
        # Sessions that are not used at the moment may end between two questions.
        wait_until(lambda: len({self[id_].metrics().get("zk_global_sessions") for id_ in ids}) == 1,
                   f"all have the same number of sessions{self.tails()}", PATIENCE)
        return len(trees[first])


# Load.

class Writer(threading.Thread):
    """Creates node after node, `depth` in flight, through whichever server takes it, on one session as long as it lives.

    What was answered is in `acknowledged`, as (number, zxid, moment); what was sent on a connection that broke may have
    happened or not.
    """

    def __init__(self, ports, name, depth=1, timeout=30_000, patience=5.0, parent="/load"):
        super().__init__(daemon=True)
        self.ports, self.depth, self.timeout, self.patience = list(ports), depth, timeout, patience
        self.label, self.parent = name, parent
        self.number, self.acknowledged, self.unknown, self.sessions = 0, [], [], []
        self.trouble, self.ended, self.moves = None, threading.Event(), 0
        self.working = threading.Event()
        self.working.set()

    def path(self, number):
        return f"{self.parent}/{self.label}-{number}"

    def connect(self, turn):
        """A connection with the session of before, or a new one if that has ended; None if the server has no time."""
        port = self.ports[turn % len(self.ports)]
        try:
            connection = Connection(port, timeout=0.25)
        except OSError:
            return None
        try:
            session, password, zxid = self.sessions[-1] if self.sessions else (0, bytes(16), 0)
            connection.timeout = self.patience
            timeout, session, password, _ = connection.connect(
                session=session, password=password, last_zxid=zxid, timeout=self.timeout)
            connection.socket.settimeout(self.patience)
            if timeout == 0:
                self.sessions.append((0, bytes(16), zxid))
            else:
                connection.last_zxid = zxid
                self.sessions.append((session, password, zxid))
                return connection
        except (Closed, TimeoutError, OSError, ValueError, Short):
            pass
        connection.close()
        return None

    def run(self):
        try:
            turn = 0
            while not self.ended.is_set():
                connection = self.connect(turn)
                turn += 1
                if connection is None:
                    self.ended.wait(0.002)
                    continue
                self.moves += 1
                self.write(connection)
                session, password, zxid = self.sessions[-1]
                self.sessions[-1] = (session, password, max(zxid, connection.last_zxid))
                connection.close()
        except Exception as problem:  # Told by `finish`.
            self.trouble = repr(problem)

    def write(self, connection):
        flight, heard = [], time.monotonic()
        try:
            while not self.ended.is_set():
                # Rests with its answers read, and goes on where it was.
                while len(flight) < self.depth and self.working.is_set():
                    self.number += 1
                    flight.append(self.number)
                    connection.post(CREATE, create_(self.path(self.number), b"%d" % self.number), xid=self.number)
                if not flight:
                    if time.monotonic() - heard > self.timeout / 3000:
                        connection.ping()
                        heard = time.monotonic()
                    self.working.wait(0.05)
                    continue
                number = flight[0]
                reply = connection.reply()
                heard = time.monotonic()
                if reply.xid != number:
                    self.trouble = f"the answer to {reply.xid} came in place of that to {number}"
                    self.ended.set()
                    return
                flight.pop(0)
                if reply.error:
                    self.unknown.append(number)
                    if reply.error != -4:
                        self.trouble = f"create {number}: error {reply.error}"
                        self.ended.set()
                        return
                    continue
                self.acknowledged.append((number, reply.zxid, time.monotonic()))
        except (Closed, TimeoutError, OSError):
            pass
        self.unknown += flight

    def finish(self, seconds=30):
        self.ended.set()
        self.join(seconds)
        expect(not self.is_alive(), f"writer {self.label} does not end")
        expect(self.trouble is None, f"writer {self.label}: {self.trouble}")


class Load:
    """Several writers, and what must be there in the end."""

    def __init__(self, ensemble, writers=3, depth=4, ids=None, patience=5.0, timeout=30_000, parent="/load",
                 pinned=False):
        """`pinned`: each writer stays with one server, also while that does not serve."""
        self.ensemble, self.parent = ensemble, parent
        ports = ensemble.ports(*(ids or ensemble.ids))
        first = ensemble.session(ensemble.wait_leader())
        error, _ = first.ask(CREATE, create_(parent))
        expect(error in (0, -110), f"create {parent}: {error}")
        first.close_session()
        self.writers = []
        for number in range(writers):
            turned = ports[number % len(ports):] + ports[:number % len(ports)]
            if pinned:
                turned = turned[:1]
            self.writers.append(Writer(turned, f"w{number}", depth, timeout, patience, parent))
        for writer in self.writers:
            writer.start()

    @property
    def count(self):
        return sum(len(writer.acknowledged) for writer in self.writers)

    def expect_well(self):
        for writer in self.writers:
            expect(writer.trouble is None, f"writer {writer.label}: {writer.trouble}")

    def wait_more(self, count, seconds=PATIENCE):
        aim = self.count + count

        def done():
            self.expect_well()
            return self.count >= aim
        try:
            wait_until(done, f"{count} more acknowledged writes", seconds, 0.001)
        except Failure as failure:
            raise Failure(f"{failure}{self.ensemble.tails()}")

    def first_after(self, zxid, seconds=PATIENCE):
        """The moment of the first acknowledged write in an epoch after that of `zxid`."""
        epoch = zxid >> 32

        def found():
            self.expect_well()
            moments = []
            for writer in self.writers:
                # From the end: only the newest are of a new epoch.
                index, moment = len(writer.acknowledged) - 1, None
                while index >= 0 and writer.acknowledged[index][1] >> 32 > epoch:
                    moment = writer.acknowledged[index][2]
                    index -= 1
                if moment is not None:
                    moments.append(moment)
            return min(moments) if moments else None
        try:
            return wait_until(found, f"a write in an epoch after {epoch}", seconds, 0.001)
        except Failure as failure:
            raise Failure(f"{failure}{self.ensemble.tails()}")

    def rest(self):
        for writer in self.writers:
            writer.working.clear()

    def go_on(self):
        for writer in self.writers:
            writer.working.set()

    def finish(self):
        self.go_on()
        for writer in self.writers:
            writer.finish()

    def verify(self, *ids):
        """Every acknowledged write is at every one of these servers, and they have the same nodes otherwise."""
        sets = {}
        for id_ in ids or self.ensemble.running:
            session = self.ensemble.session(id_)
            expect_equal(session.call(SYNC, string_(self.parent)).error, 0, f"sync at server {id_}")
            error, value = session.ask(GET_CHILDREN, path_watch_(self.parent))
            expect_equal(error, 0, f"children of {self.parent} at server {id_}")
            sets[id_] = set(value[0])
            session.close_session()
        wanted = {f"{writer.label}-{number}" for writer in self.writers for number, _, _ in writer.acknowledged}
        sent = {f"{writer.label}-{number}" for writer in self.writers for number in range(1, writer.number + 1)}
        for id_, found in sets.items():
            lost = sorted(wanted - found)
            expect(not lost, f"server {id_} ({self.ensemble[id_].kind}) lost {len(lost)} of {len(wanted)} acknowledged "
                             f"writes: {lost[:10]}{self.ensemble.tails()}")
            expect(found <= sent, f"server {id_} has what nobody wrote: {sorted(found - sent)[:10]}")
        everybody = list(sets.items())
        for id_, found in everybody[1:]:
            differing = sorted(found ^ everybody[0][1])
            expect(not differing, f"servers {everybody[0][0]} and {id_} differ in {differing[:10]}")
        # On one session answers come in the order of the writes.
        for writer in self.writers:
            zxids = [zxid for _, zxid, _ in writer.acknowledged]
            expect(zxids == sorted(zxids), f"writer {writer.label}: zxids of answers went back")
        return len(wanted)


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def milliseconds(values):
    """The median and the worst of some seconds, in words."""
    return f"median {median(values) * 1000:.0f} ms, worst {max(values) * 1000:.0f} ms"


# A thread that waits for the interpreter's lock longer than a server takes would be measured instead of the server.
sys.setswitchinterval(0.0005)
