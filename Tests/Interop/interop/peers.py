"""Bad input on the election and the quorum port: no server ends, nobody loses the leader, elections go on, memory stays bounded.

Nothing on these ports proves who it is, so a stranger that speaks the protocol to its end under a voter's name can do
harm, as with Apache's servers. Everything short of that must do none.
"""

import random
import socket
import threading

from .ensemble import *

CURRENT, SEVERAL = -65536, -65535
SETTINGS = {"tickTime": "400", "initLimit": "10", "syncLimit": "5"}


# Election port.

def handshake(server, version=CURRENT, addresses=b"127.0.0.1:1", length=None):
    return long_(version) + long_(server) + int_(len(addresses) if length is None else length) + addresses


def message(state, leader, zxid, round_, epoch, version=2, config=b"", length=None):
    return (int_(state) + long_(leader) + long_(zxid) + long_(round_) + long_(epoch) + int_(version) +
            int_(len(config) if length is None else length) + config)


def election_inputs(own, others, randomness):
    """(name, bytes) to be sent to the election port of server `own`."""
    yield "nothing", b""
    yield "a request for a page", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    yield "a TLS hello", bytes.fromhex("16030100c8010000c40303") + randomness.randbytes(200)
    for size in (1, 7, 8, 19, 20, 300, 5000, 100_000):
        yield f"{size} bytes of garbage", randomness.randbytes(size)
        yield f"{size} zeros", bytes(size)
        yield f"{size} times 0xff", b"\xff" * size
    good = handshake(99)
    for cut in range(len(good)):
        yield f"a handshake cut at {cut}", good[:cut]
    for version in (-65537, -65534, -1, -2**63, 2**63 - 1, 0, 1, 99):
        yield f"handshake version {version}", handshake(99, version=version)
    for server in (own, *others, 0, 99, -1, -2**63, 2**63 - 1, 2**63 - 2):
        for version in (CURRENT, SEVERAL):
            yield f"the name of {server}", handshake(server, version=version)
        yield f"an old handshake of {server}", long_(server)
    for length in (0, -1, 2049, 2**31 - 1, -2**31):
        yield f"an address of {length} bytes", handshake(99, length=length)
    for addresses in (b"\xff\xfe\xfd", b"nowhere", b":::", b"127.0.0.1:99999", b"[::1", b"127.0.0.1:-1", b"|||",
                      b"127.0.0.1:1|" * 100, b"a" * 2048, b"0.0.0.0:1"):
        for server in (99, *others):
            yield f"the address {addresses[:20]!r} of {server}", handshake(server, SEVERAL, addresses)
    vote = message(0, 99, 2**62, 2**40, 2**31 - 2)
    for server in (99, -5, *others):
        hello = handshake(server)
        for length in (0, -1, 524_289, 2**31 - 1, -2**31):
            yield f"a message of {length} bytes from {server}", hello + int_(length) + bytes(100)
        for size in (1, 27, 28, 39, 40, 41, 44):
            yield f"{size} bytes of a message from {server}", hello + frame_((vote + bytes(8))[:size])
        for length in (-1, -2**31, 2**31 - 1, 5):
            yield (f"a configuration of {length} bytes from {server}",
                   hello + frame_(message(0, 99, 0, 1, 0, length=length)))
        yield f"a configuration from {server} that is none", hello + frame_(message(0, 99, 0, 1, 0, config=b"server.x=\xff\n"))
        yield (f"a configuration from {server} of later",
               hello + frame_(message(0, 99, 0, 1, 0, config=b"server.9=127.0.0.1:1:2:participant\nversion=7fffffff00000000")))
        for state in (-1, 4, 2**31 - 1):
            yield f"state {state} of {server}", hello + frame_(message(state, 99, 0, 1, 0))
        # Votes that would win an election, if there were one.
        for state in range(4):
            for leader in (own, 99, *others):
                yield (f"the vote of {server} for {leader} in state {state}",
                       hello + frame_(message(state, leader, 2**62, 2**40, 2**31 - 2)))
        yield f"1,000 votes of {server}", hello + frame_(vote) * 1000
        yield f"a long message from {server}", hello + frame_(vote + bytes(500_000)) * 3


# Quorum port.

def packet(kind, zxid=-1, data=None, identities=b"\xff\xff\xff\xff"):
    return int_(kind) + long_(zxid) + buffer_(data) + identities


def learner_info(server, protocol=0x10000, configuration=0):
    return long_(server) + int_(protocol) + long_(configuration)


FOLLOWER, OBSERVER = 11, 16


def quorum_inputs(own, others, randomness):
    """(name, pieces): a piece is sent when something came in answer to the one before, or nothing did for a while."""
    yield "nothing", [b""]
    yield "a request for a page", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
    for size in (1, 3, 4, 11, 12, 16, 17, 300, 5000, 100_000):
        yield f"{size} bytes of garbage", [randomness.randbytes(size)]
        yield f"{size} zeros", [bytes(size)]
        yield f"{size} times 0xff", [b"\xff" * size]
    hello = packet(FOLLOWER, 0, learner_info(99))
    for cut in range(len(hello)):
        yield f"the first packet cut at {cut}", [hello[:cut]]
    for kind in (-1, 0, *range(1, 20), 20, 2**31 - 1, -2**31):
        yield f"a first packet of type {kind}", [packet(kind, 0, learner_info(99))]
        yield f"a second packet of type {kind}", [hello, packet(kind, 0, bytes(12))]
    for length in (-2, -2**31, 2**31 - 1, 64 << 20):
        yield f"data of {length} bytes", [int_(FOLLOWER) + long_(0) + int_(length) + bytes(1000)]
        yield f"{length} identities", [int_(FOLLOWER) + long_(0) + buffer_(learner_info(99)) + int_(length) + bytes(100)]
    for kind in (FOLLOWER, OBSERVER):
        for server in (own, *others, 0, 99, -1, 2**63 - 1, -2**63):
            for size in (0, 7, 8, 11, 12, 19, 20):
                yield f"{kind} of {server}, {size} bytes", [packet(kind, 0, learner_info(server)[:size])]
            yield f"{kind} of {server} without data", [packet(kind, 0)]
            yield f"{kind} of {server} and more", [packet(kind, 0, learner_info(server) + bytes(1000))]
        for zxid in (-1, 2**63 - 1, -2**63, (2**31 - 1) << 32, (2**31 - 2) << 32):
            yield f"{kind} with zxid {zxid}", [packet(kind, zxid, learner_info(99))]
        for protocol in (-1, 0, 1, 0xFFFF, 0x10001, 2**31 - 1):
            yield f"{kind} with protocol {protocol}", [packet(kind, 0, learner_info(99, protocol=protocol))]
        yield f"{kind} with a later configuration", [packet(kind, 0, learner_info(99, configuration=2**62))]
        # Plausible up to a point, then not.
        first = packet(kind, 0, learner_info(99))
        for zxid in (-1, 0, 1, 2**62, 2**63 - 1, -2**63):
            for epoch in (-1, 0, 1, 2**31 - 1, -2**31):
                yield f"{kind}, at {zxid} of epoch {epoch}", [first, packet(18, zxid, int_(epoch))]
        for data in (None, b"", b"\0\0\0", bytes(5), bytes(1000)):
            yield f"{kind}, its epoch in {data and len(data)} bytes", [first, packet(18, 0, data)]
        joined = [first, packet(18, 0, int_(0))]
        yield f"{kind}, joined and then garbage", joined + [randomness.randbytes(1000)]
        yield f"{kind}, joined and then a huge packet", joined + [int_(3) + long_(0) + int_(2**31 - 1)]
        for zxid in (-1, 0, 1, 2**63 - 1):
            yield f"{kind}, joined and then ACK {zxid}", joined + [packet(3, zxid)]
            yield f"{kind}, joined and then SYNC {zxid}", joined + [packet(7, zxid)]
        for data in (None, b"", bytes(11), bytes(16), randomness.randbytes(12 * 100)):
            yield f"{kind}, joined and then PING", joined + [packet(5, 0, data)]
            yield f"{kind}, joined and then REVALIDATE", joined + [packet(6, 0, data)]
            yield f"{kind}, joined and then REQUEST", joined + [packet(1, 0, data)]


class Prober(threading.Thread):
    """Sets and reads one node at one server, and remembers how long the longest wait was."""

    def __init__(self, ensemble, id_):
        super().__init__(daemon=True)
        self.connection = ensemble.session(id_)
        self.path = f"/prober-{id_}"
        expect(self.connection.ask(CREATE, create_(self.path))[0] in (0, -110), f"{self.path} cannot be made")
        self.ended, self.count, self.slowest, self.trouble = threading.Event(), 0, 0.0, None

    def run(self):
        try:
            while not self.ended.is_set():
                begin, value = time.monotonic(), b"%d" % self.count
                error, _ = self.connection.ask(SET_DATA, set_data_(self.path, value))
                again, found = self.connection.ask(GET_DATA, path_watch_(self.path))
                if error or again or found[0] != value:
                    self.trouble = f"set {error}, get {again} {found!r:.200}"
                    return
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.count += 1
                self.ended.wait(0.002)
        except Exception as problem:  # Told by `finish`.
            self.trouble = repr(problem)

    def finish(self):
        self.ended.set()
        self.join(30)
        expect(self.trouble is None, f"a client at {self.path} was disturbed: {self.trouble}")
        expect(self.count > 3, f"a client at {self.path} got only {self.count} answers")
        return self.slowest


class Watched:
    """An ensemble whose clients, roles, memory and descriptors must stay as they are."""

    def __init__(self, ensemble):
        self.ensemble = ensemble
        self.probers = [Prober(ensemble, id_) for id_ in ensemble.ids]
        for prober in self.probers:
            prober.start()
        self.leader = ensemble.wait_leader()
        self.epoch = ensemble.zxid(self.leader) >> 32
        self.memory = {id_: ensemble[id_].resident_kilobytes() for id_ in ensemble.ids}
        self.descriptors = {id_: ensemble[id_].open_descriptors() for id_ in ensemble.ids}
        self.peak = 0

    def look(self, what, limit_megabytes=64):
        for prober in self.probers:
            expect(prober.trouble is None or prober.ended.is_set(),
                   f"{what}: a client at {prober.path} was disturbed: {prober.trouble}{self.ensemble.tails()}")
        for id_ in self.ensemble.ids:
            expect(self.ensemble[id_].alive(), f"{what} ended server {id_}: {self.ensemble[id_].log_tail()}")
            grown = self.ensemble[id_].resident_kilobytes() - self.memory[id_]
            self.peak = max(self.peak, grown)
            expect(harness.proving or grown < limit_megabytes << 10,
                   f"{what}: the memory of server {id_} grew by {grown >> 10} MiB")

    def finish(self, limit_megabytes=64):
        slowest = max(prober.finish() for prober in self.probers)
        self.look("all of it", limit_megabytes)
        ensemble = self.ensemble
        expect_equal(ensemble.leader(), self.leader, f"the leader{ensemble.tails()}")
        expect_equal(ensemble.zxid(self.leader) >> 32, self.epoch, f"the epoch{ensemble.tails()}")
        for id_ in ensemble.ids:
            expect_equal(ensemble.role(id_), "leader" if id_ == self.leader else "follower", f"the role of server {id_}")
            wait_until(lambda: ensemble[id_].open_descriptors() <= self.descriptors[id_] + 4,
                       f"server {id_} gives its descriptors back (had {self.descriptors[id_]}, "
                       f"has {ensemble[id_].open_descriptors()})", 20, 0.1)
        ensemble.agree()
        return f"slowest answer to a client {slowest * 1000:.0f} ms, memory +{self.peak >> 10} MiB"


class Stranger:
    """One connection with pieces to be sent, one after another."""

    def __init__(self, port, name, pieces):
        self.name, self.pieces = name, list(pieces)
        self.socket = socket.socket()
        self.socket.settimeout(5)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.pieces = []
        self.socket.settimeout(0)

    def step(self):
        """Sends the next piece; what came meanwhile is thrown away."""
        try:
            while self.socket.recv(65_536):
                pass
        except OSError:
            pass
        if not self.pieces:
            return
        piece = self.pieces.pop(0)
        try:
            self.socket.settimeout(2)
            self.socket.sendall(piece)
        except OSError:
            self.pieces = []
        self.socket.settimeout(0)

    def close(self):
        self.socket.close()


def bytes_to(port_of, inputs, seed):
    def check():
        with Ensemble("ccc", settings=SETTINGS) as ensemble:
            ensemble.start()
            watched, count = Watched(ensemble), 0
            for id_ in ensemble.ids:
                others = [other for other in ensemble.ids if other != id_]
                waiting = []
                for name, pieces in inputs(id_, others, random.Random(seed + id_)):
                    pieces = [pieces] if isinstance(pieces, bytes) else pieces
                    waiting.append(Stranger(port_of(ensemble, id_), name, pieces))
                    count += 1
                    # A few dozen at a time, all of them half open for a while.
                    if len(waiting) == 40:
                        go_through(waiting, watched)
                        waiting = []
                go_through(waiting, watched)
            return f"{count} inputs; {watched.finish()}"
    return check


def go_through(strangers, watched):
    names = f"one of {', '.join(stranger.name for stranger in strangers[:40])}"
    for _ in range(max(len(stranger.pieces) for stranger in strangers)):
        for stranger in strangers:
            stranger.step()
        time.sleep(0.02)
    watched.look(names)
    for stranger in strangers:
        stranger.step()
        stranger.close()
    watched.look(names)


def check_flood():
    """Connections by the thousand, silent ones that stay, ones that send a byte now and then."""
    with Ensemble("ccc", settings=SETTINGS) as ensemble:
        ensemble.start()
        watched = Watched(ensemble)
        leader = watched.leader
        ports = list(ensemble.election_port.values()) + list(ensemble.quorum_port.values())
        total = int(os.environ.get("INTEROP_CONNECTIONS", "10000")) // (1 if harness.thorough else 4)
        opened = []
        for number in range(total):
            one = socket.socket()
            one.settimeout(5)
            try:
                one.connect(("127.0.0.1", ports[number % len(ports)]))
                if number % 3 == 1:
                    one.sendall(b"\xff" * 11)
                elif number % 3 == 2:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except OSError:
                pass
            opened.append(one)
            if len(opened) > 200:
                opened.pop(0).close()
        for one in opened:
            one.close()
        watched.look("a flood of connections")
        # Silent ones are held until the server has had enough of them.
        silent = []
        for port in ports:
            for _ in range(600):
                one = socket.socket()
                one.settimeout(5)
                try:
                    one.connect(("127.0.0.1", port))
                except OSError:
                    pass
                silent.append(one)
        watched.look("silent connections")
        # Meanwhile somebody who belongs there comes back.
        follower = next(id_ for id_ in ensemble.ids if id_ != leader)
        watched.probers[follower - 1].finish()
        ensemble.kill(follower)
        ensemble.launch(follower)
        begin = time.monotonic()
        ensemble.wait_serving(follower, seconds=20)
        back = time.monotonic() - begin
        watched.memory[follower] = ensemble[follower].resident_kilobytes()
        watched.probers[follower - 1] = Prober(ensemble, follower)
        watched.probers[follower - 1].start()
        # Drips: a good beginning, a byte at a time, for longer than anybody should wait.
        drips = [Stranger(port, "a drip", [bytes([byte]) for byte in handshake(99) + bytes(40)]) for port in
                 ensemble.election_port.values()]
        drips += [Stranger(port, "a drip", [bytes([byte]) for byte in packet(FOLLOWER, 0, learner_info(99)) + bytes(20)])
                  for port in ensemble.quorum_port.values()]
        while any(drip.pieces for drip in drips):
            for drip in drips:
                drip.step()
            time.sleep(0.05)
        watched.look("drips")
        begin = time.monotonic()
        for one in silent:
            one.settimeout(max(0.1, 30 - (time.monotonic() - begin)))
            try:
                left = one.recv(1)
            except socket.timeout:
                raise Failure("a silent connection is still open after 30 s")
            except OSError:
                left = b""
            expect(left == b"", "a silent connection was answered")
            one.close()
        for drip in drips:
            drip.close()
        return (f"{total} connections, {len(silent)} silent ones; a follower came back after {back * 1000:.0f} ms; "
                f"{watched.finish()}")


class Fire(threading.Thread):
    """Connects to every port between servers, again and again, with something wrong or with nothing."""

    def __init__(self, ensemble, seed):
        super().__init__(daemon=True)
        self.ended, self.count = threading.Event(), 0
        self.random = random.Random(seed)
        self.targets = []
        for id_ in ensemble.ids:
            others = [other for other in ensemble.ids if other != id_]
            # Nothing that passes for the word of a voter.
            election = [(name, [data]) for name, data in election_inputs(id_, others, self.random)
                        if not name.startswith(("the vote", "1,000 votes")) and "of later" not in name]
            quorum = [(name, pieces) for name, pieces in quorum_inputs(id_, others, self.random)
                      if "joined" not in name or not any(f"of {other}" in name for other in others)]
            self.targets += [(ensemble.election_port[id_], *one) for one in election]
            self.targets += [(ensemble.quorum_port[id_], *one) for one in quorum]

    def run(self):
        held = []
        while not self.ended.is_set():
            held.append(Stranger(*self.random.choice(self.targets)))
            self.count += 1
            self.random.choice(held).step()
            if len(held) > 300:
                held.pop(0).close()
        for one in held:
            one.close()


def check_elections():
    """The leader is killed again and again while every port is under fire."""
    with Ensemble("ccc", settings=SETTINGS) as ensemble:
        ensemble.start()
        load, times = Load(ensemble), []
        fires = [Fire(ensemble, seed) for seed in range(2)]
        for fire in fires:
            fire.start()
        for _ in range(20 if harness.thorough else 6):
            load.wait_more(100)
            leader = ensemble.wait_leader()
            zxid = ensemble.zxid(leader)
            begin = time.monotonic()
            ensemble.kill(leader)
            times.append(load.first_after(zxid) - begin)
            ensemble.launch(leader)
            ensemble.wait_serving(leader)
        for fire in fires:
            fire.ended.set()
            fire.join(20)
        load.finish()
        count = load.verify()
        ensemble.agree()
        # Also while nobody is killed: a client that waits in vain goes elsewhere after five seconds.
        moments = sorted(moment for writer in load.writers for _, _, moment in writer.acknowledged)
        gap = max(later - earlier for earlier, later in zip(moments, moments[1:]))
        text = (f"{milliseconds(times)} until the next write, longest time without one {gap * 1000:.0f} ms, "
                f"{sum(fire.count for fire in fires)} strangers, {count} writes")
        expect_timely(harness.proving or max(times) < 5 and gap < 4, text)
        return text


def check_unread():
    """A stranger joins as an observer, properly, and then reads nothing while much is written."""
    with Ensemble("ccc", settings={**SETTINGS, "syncLimit": "10"}) as ensemble:
        leader = ensemble.start()
        watched = Watched(ensemble)
        strangers = []
        for number in range(3):
            one = socket.create_connection(("127.0.0.1", ensemble.quorum_port[leader]), 5)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.sendall(packet(OBSERVER, 0, learner_info(100 + number)))
            expect(one.recv(100)[:4] == int_(17), "a stranger is not told the epoch")
            one.sendall(packet(18, 0, int_(0)))
            one.recv(10)
            one.sendall(packet(3, watched.epoch << 32))
            strangers.append(one)
        session = ensemble.session(leader)
        expect_equal(session.ask(CREATE, create_("/large"))[0], 0, "create")
        data = b"x" * 500_000
        for start in range(0, 400, 20):
            for _ in range(20):
                session.post(SET_DATA, set_data_("/large", data))
            for _ in range(20):
                expect_equal(session.reply().error, 0, "a set")
            # 64 MiB may wait for each, in a buffer that doubles.
            watched.look("observers that never read", 3 * 2 * 64 + 96)
        session.close_session()
        for one in strangers:
            one.close()
        return watched.finish(3 * 2 * 64 + 96)


CHECKS = [
    ("peers-election", "bad bytes on the election port: no server ends, nobody loses the leader",
     bytes_to(lambda ensemble, id_: ensemble.election_port[id_], election_inputs, 1)),
    ("peers-quorum", "bad bytes on the quorum port: no server ends, nobody loses the leader",
     bytes_to(lambda ensemble, id_: ensemble.quorum_port[id_], quorum_inputs, 2)),
    ("peers-flood", "floods, silent and dripping connections between servers: others go on, a follower can return",
     check_flood),
    ("peers-fire", "the leader is killed while all of that goes on: elections end, nothing is lost", check_elections),
    ("peers-unread", "strangers that join and never read cost bounded memory", check_unread),
]
