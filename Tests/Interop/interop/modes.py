"""Read-only mode and local sessions, which are off by default: both kinds of server, and clients of all kinds.

The same conversation is held with an ensemble of ours and one of Apache's; what may differ is named where it does.
"""

import threading

from . import harness
from .ensemble import *
from .harness import *
from .jute import *
from .kazoo_client import quiet

SETTINGS = {"tickTime": "500"}


class ModeEnsemble(Ensemble):
    """An ensemble with modes, given the way each kind of server takes them."""

    def __init__(self, kinds, read_only=False, local=False, upgrading=False):
        settings = dict(SETTINGS)
        if local:
            settings["localSessionsEnabled"] = "true"
            settings["localSessionsUpgradingEnabled"] = str(upgrading).lower()
        super().__init__(kinds, settings=settings)
        if read_only:
            for server in self.servers.values():
                if isinstance(server, Apache):
                    # Apache's server takes it only from the command line of its JVM, without the prefix of the others.
                    server.properties["readonlymode.enabled"] = "true"
                else:
                    server.settings["readonlymode.enabled"] = "true"

    def leave(self, survivor):
        """Kills all others and waits until the one that is left serves read-only; returns how long that took."""
        begin = time.monotonic()
        self.kill(*[id_ for id_ in self.ids if id_ != survivor])
        wait_until(lambda: word(self[survivor].port, "isro") == "ro", f"server {survivor} is read-only", PATIENCE)
        return time.monotonic() - begin

    def others(self, survivor):
        return [id_ for id_ in self.ids if id_ != survivor]


def greeting(port, **arguments):
    """What a server says to a ConnectRequest: `closed`, `gone`, or (whether it is read-only, the connection)."""
    connection = Connection(port)
    try:
        _, session, _, read_only = connection.connect(**arguments)
    except Closed:
        connection.close()
        return "closed"
    return (read_only, connection) if session else "gone"


def requests():
    """Every kind of request, with a name."""
    yield "get", GET_DATA, path_watch_("/a")
    yield "exists not", EXISTS, path_watch_("/b")
    yield "children", GET_CHILDREN2, path_watch_("/")
    yield "acl", GET_ACL, string_("/a")
    yield "count", GET_ALL_CHILDREN_NUMBER, string_("/")
    yield "ephemerals", GET_EPHEMERALS, string_("/")
    yield "create", CREATE, create_("/b")
    yield "create2", CREATE2, create_("/b", flags=1)
    yield "container", CREATE_CONTAINER, create_("/b", flags=4)
    yield "set", SET_DATA, set_data_("/a", b"other")
    yield "set acl", SET_ACL, set_acl_("/a", OPEN)
    yield "delete", DELETE, path_version_("/a")
    yield "multi", MULTI, multi_([(CREATE, create_("/b"))])
    yield "multi of reads", MULTI_READ, multi_([(GET_DATA, path_watch_("/a"))])
    yield "sync", SYNC, string_("/")
    yield "check", CHECK, path_version_("/a")


def mode_lines(port, name):
    """The lines of a word that tell how a server serves."""
    return [line for line in word(port, name).splitlines() if line.startswith(("READ-ONLY", "Mode:"))]


def read_only_conversation(kinds):
    """What an ensemble shows that loses its quorum and finds it again; and how long it looked for a leader."""
    seen = []
    with ModeEnsemble(kinds, read_only=True, local=True, upgrading=True) as ensemble:
        leader = ensemble.start()
        survivor = ensemble.others(leader)[0]
        port = ensemble[survivor].port
        session = ensemble.session(survivor)
        expect_equal(session.ask(CREATE, create_("/a", b"kept"))[0], 0, "create")
        session.close_session()
        owner = ensemble.session(survivor)
        expect_equal(owner.ask(CREATE, create_("/owned", flags=1))[0], 0, "an ephemeral node")
        zxid = ensemble.wait_equal()
        waited = ensemble.leave(survivor)

        seen.append(("srvr", mode_lines(port, "srvr"), "stat", mode_lines(port, "stat")))
        metrics = ensemble[survivor].metrics()
        # Ours tells the state of the peer and the size of the quorum as well.
        seen.append([metrics.get("zk_" + key) for key in ("server_state", "local_sessions", "global_sessions")])
        for asked in (None, False):
            seen.append(("asked", asked, greeting(port, read_only=asked)))
        seen.append(("ahead", greeting(port, read_only=True, last_zxid=zxid + 1)))
        whose = {"session": owner.session, "password": owner.password}
        seen.append(("a global session", greeting(port, read_only=True, **whose)))
        read_only, client = greeting(port, read_only=True)
        seen.append(("read-only", read_only))
        for name, operation, body in requests():
            reply = client.call(operation, body)
            if reply.error or operation not in (GET_DATA, GET_ACL, GET_CHILDREN2, MULTI_READ):
                seen.append((name, reply.error, reply.zxid == zxid, reply.body))
            else:
                # Times and numbers of sessions are in the stats.
                seen.append((name, reply.error, reply.zxid == zxid, len(reply.body)))
        seen.append(("ping", client.ping().error))
        dump = word(port, "dump")
        local, _ = dump.split("Global Sessions(1):")
        seen.append(("dump", f"0x{client.session:x}" in local))
        own = {"session": client.session, "password": client.password}
        seen.append(("own again", greeting(port, read_only=True, **own)[0]))
        seen.append(("wrong password", greeting(port, read_only=True, **{**own, "password": b"x" * 16})))
        _, ending = greeting(port, read_only=True)
        seen.append(("close", ending.call(CLOSE_SESSION).error, ending.closed_by_server()))

        _, client = greeting(port, read_only=True)
        ensemble.launch(*ensemble.others(survivor))
        seen.append(("dropped", client.closed_by_server(PATIENCE)))
        ensemble.wait_serving()
        seen.append(("isro", word(port, "isro"), mode_lines(port, "srvr")))
        seen.append(("global", greeting(port, read_only=True, **whose)[0]))
        read_only, client = greeting(port, read_only=True)
        seen.append(("new", read_only, client.ask(CREATE, create_("/b"))))
    return seen, waited


def check_read_only():
    ours, waited = read_only_conversation("ccc")
    theirs, theirs_waited = read_only_conversation("aaa")
    for one, other in zip(ours, theirs):
        expect_equal(one, other, "seen at our server, beside Apache's")
    expect_equal(len(ours), len(theirs), "number of things seen")
    expect(2 <= waited < 10, f"our server was read-only after {waited:.2f} s")
    return f"{len(ours)} things seen alike; read-only after {waited:.2f} s (Apache's after {theirs_waited:.2f} s)"


def check_kazoo_read_only():
    """kazoo at our server: reads, a refused write, and over to the others when they are back, on its own."""
    quiet()
    from kazoo.client import KazooClient, KeeperState
    from kazoo.exceptions import NotReadOnlyCallError
    # Apache's servers need local sessions for that.
    with ModeEnsemble("ccc", read_only=True, local=harness.proving) as ensemble:
        leader = ensemble.start()
        survivor = ensemble.others(leader)[0]
        session = ensemble.session(leader)
        expect_equal(session.ask(CREATE, create_("/a", b"kept"))[0], 0, "create")
        ensemble.wait_equal()
        waited = ensemble.leave(survivor)
        hosts = ",".join(server.hosts for server in ensemble.servers.values())
        client = KazooClient(hosts=hosts, read_only=True, timeout=20)
        states = []
        client.add_listener(states.append)
        client.start(30)
        try:
            expect_equal(client.client_state, KeeperState.CONNECTED_RO, "kazoo's state")
            expect_equal(client.get("/a")[0], b"kept", "what kazoo reads")
            try:
                client.set("/a", b"other")
                raise Failure("a read-only server took a write")
            except NotReadOnlyCallError:
                pass
            ensemble.launch(*ensemble.others(survivor))
            wait_until(lambda: client.client_state == KeeperState.CONNECTED, "kazoo finds a quorum", PATIENCE)
            client.retry(client.set, "/a", b"other")
            expect_equal(client.get("/a")[0], b"other", "what kazoo reads back")
        finally:
            client.stop()
            client.close()
        return f"read-only after {waited:.2f} s; kazoo's states: {', '.join(states)}"


class Shell:
    """`conclave shell -r`: a line in, lines out."""

    def __init__(self, hosts):
        self.process = spawn(
            [conclave_tool(), "shell", "-r", "--server", hosts], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.lines = []
        threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True).start()

    def ask(self, line, wanted):
        """Sends a line, and again, until an answer has the wanted text in it."""
        sent = time.monotonic() - 60

        def answered():
            nonlocal sent
            if any(wanted in text for text in self.lines):
                return True
            if time.monotonic() - sent > 2:
                sent = time.monotonic()
                self.process.stdin.write(line + "\n")
                self.process.stdin.flush()
            return False
        self.lines.clear()
        wait_until(answered, f"'{line}' is answered with '{wanted}', not with {self.lines}", PATIENCE)

    def close(self):
        self.process.stdin.close()
        end_process(self.process)


def check_client_at_apache():
    """Our client at Apache's read-only server, and over to the others when they are back, on its own."""
    with ModeEnsemble("aaa", read_only=True, local=True) as ensemble:
        leader = ensemble.start()
        survivor = ensemble.others(leader)[0]
        session = ensemble.session(leader)
        expect_equal(session.ask(CREATE, create_("/a", b"kept"))[0], 0, "create")
        ensemble.wait_equal()
        ensemble.leave(survivor)
        shell = Shell(",".join(server.hosts for server in ensemble.servers.values()))
        shell.ask("get /a", "kept")
        shell.ask("set /a other", "Not a read-only server: /a")
        ensemble.launch(*ensemble.others(survivor))
        begin = time.monotonic()
        shell.ask("create /moved carried", "Created /moved")
        took = time.monotonic() - begin
        shell.ask("get /moved", "carried")
        shell.close()
        return f"wrote {took:.2f} s after the others were started"


def local_conversation(ensemble, id_, upgrading):
    """What a client of one server with local sessions sees."""
    seen = []
    other = ensemble.ids[id_ % len(ensemble.ids)]
    zxid = ensemble.wait_equal()
    client = ensemble.session(id_)
    seen.append(("no transaction", ensemble.wait_equal() == zxid))
    seen.append(("create", client.ask(CREATE, create_(f"/p-{id_}", b"x"))[0]))
    seen.append(("set", client.ask(SET_DATA, set_data_(f"/p-{id_}", b"y"))[0]))
    seen.append(("sync", client.ask(SYNC, string_("/"))[0]))
    seen.append(("get", client.ask(GET_DATA, path_watch_(f"/p-{id_}"))[1][0]))
    metrics = ensemble[id_].metrics()
    seen.append((metrics["zk_local_sessions"], metrics["zk_global_sessions"]))
    seen.append(("known there", f"\t0x{client.session:x}\n" in word(ensemble[id_].port, "dump")))
    seen.append(("elsewhere", greeting(ensemble[other].port, session=client.session, password=client.password)))
    read_only, client = greeting(ensemble[id_].port, session=client.session, password=client.password)
    seen.append(("back", read_only))
    # The number of the transaction is the leader's that makes the session, then that of the node.
    zxid = ensemble.wait_equal()
    seen.append(("ephemeral", client.ask(CREATE, create_(f"/e-{id_}", flags=1))[0]))
    if upgrading:
        seen.append(("transactions", ensemble.wait_equal() - zxid))
        seen.append(("ping", client.ping().error))
        metrics = ensemble[id_].metrics()
        seen.append((metrics["zk_local_sessions"], metrics["zk_global_sessions"]))
        _, client = greeting(ensemble[other].port, session=client.session, password=client.password)
        seen.append(("owned", client.ask(GET_EPHEMERALS, string_("/")) == (0, ([f"/e-{id_}"],))))
    zxid = ensemble.wait_equal()
    seen.append(("close", client.call(CLOSE_SESSION).error, "transactions", ensemble.wait_equal() - zxid))
    reader = ensemble.session(id_)
    seen.append(("gone", reader.ask(EXISTS, path_watch_(f"/e-{id_}"))[0]))
    reader.close_session()
    return seen


def check_local(kinds, upgrading):
    def check():
        with ModeEnsemble(kinds, local=True, upgrading=upgrading) as ensemble:
            leader = ensemble.start()
            # Before the first transaction Apache's follower does not know the epoch.
            first = ensemble.session(leader)
            expect_equal(first.ask(CREATE, create_("/first"))[0], 0, "create")
            first.close_session()
            seen = {id_: local_conversation(ensemble, id_, upgrading) for id_ in ensemble.ids}
            for id_ in ensemble.ids:
                expect_equal(seen[id_], seen[1], f"at server {id_} ({ensemble[id_].kind}), beside server 1")
            ensemble.agree()
            return f"server {leader} ({ensemble[leader].kind}) led; {len(seen[1])} things seen alike at each server"
    return check


def check_kazoo_local():
    """kazoo at our servers with local sessions: its first ephemeral node makes its session a global one."""
    quiet()
    from kazoo.client import KazooClient
    with ModeEnsemble("ccc", local=True, upgrading=True) as ensemble:
        ensemble.start()
        for id_ in ensemble.ids:
            client = KazooClient(hosts=ensemble[id_].hosts, timeout=20)
            client.start(20)
            try:
                client.create(f"/k-{id_}", b"one")
                expect_equal(ensemble[id_].metrics()["zk_local_sessions"], "1", "local sessions")
                with client.Lock("/lock", f"kazoo at {id_}"):
                    expect_equal(ensemble[id_].metrics()["zk_local_sessions"], "0", "local sessions with a lock")
            finally:
                client.stop()
                client.close()
        ensemble.agree()
        return "a lock held through each server"


CHECKS = [
    ("modes-kazoo-readonly", "kazoo reads from our server without a quorum and goes over when there is one again",
     check_kazoo_read_only),
    ("modes-client", "our client at Apache's server without a quorum, and over when there is one again",
     check_client_at_apache),
    ("modes-local-cac", "local sessions that become global ones, in a mixed ensemble: the same at every server",
     check_local("cac", True)),
    ("modes-local-aca", "the same with Apache's server on two places", check_local("aca", True)),
    ("modes-local-refused", "local sessions that may not become global ones, in a mixed ensemble",
     check_local("cac", False)),
    ("modes-kazoo-local", "kazoo at our servers with local sessions, and a lock", check_kazoo_local),
]
LONG_CHECKS = [
    ("modes-readonly", "a server without a quorum: the same conversation as with Apache's", check_read_only),
]
