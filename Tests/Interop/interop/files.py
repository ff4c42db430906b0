"""Data directories handed back and forth between our server and Apache's.

One server writes a world (nodes of every kind, ACLs, quotas, sessions, ephemerals, multis, and thousands of random
requests), ends cleanly or by SIGKILL, and the other starts on what it left: the same tree to the last field, the same
sessions alive, no digest mismatch. Apache's own tools read what we write.
"""

import re
import shutil
import subprocess

from .generator import COMPUTED, Generator, Request
from .harness import *
from .jute import *

SETTINGS = {"maxSessionTimeout": "600000", "extendedTypesEnabled": "true", "snapCount": "500"}
PROPERTIES = {"znode.container.checkIntervalMs": "86400000"}
DIGEST = COMPUTED["digest_auth"][1]["id"]


def world(server, seed, steps=1500):
    """Fills the server; returns the sessions that stay open, as (id, password), with their connections."""
    kept = [open_session(server.port, timeout=300_000) for _ in range(3)]
    for connection in kept:
        connection.authenticate("digest", b"bob:secret")
    first, second, third = kept

    def must(connection, operation, body):
        error, value = connection.ask(operation, body)
        expect(error == 0, f"{server.kind} refused operation {operation}: {error}")
        return value
    for path, data in (("/plain", b"text"), ("/null", None), ("/empty", b""), ("/binary", bytes(range(256))),
                       ("/smörgås", "gås".encode()), ("/big", b"x" * 900_000), ("/parent", b"")):
        must(first, CREATE2, create_(path, data))
    for number in range(5):
        must(first, CREATE, create_("/parent/s-", b"%d" % number, flags=2))
    must(first, DELETE, path_version_("/parent/s-0000000002"))
    must(first, CREATE_CONTAINER, create_("/container", b"c", flags=4))
    must(first, CREATE, create_("/container/child", b""))
    must(first, CREATE_CONTAINER, create_("/container2", b"c", flags=4))
    must(first, CREATE_TTL, create_ttl_("/ttl", b"t", OPEN, 5, 86_400_000))
    must(first, CREATE_TTL, create_ttl_("/ttl-", b"t", OPEN, 6, (1 << 40) - 1))
    for number, acl in enumerate(([(31, "auth", "")], [(1, "world", "anyone"), (31, "digest", DIGEST)],
                                  [(31, "ip", "127.0.0.0/8")], [(31, "digest", DIGEST), (16, "world", "anyone")])):
        must(second, CREATE2, create_(f"/acl{number}", b"guarded", acl))
    must(second, SET_ACL, set_acl_("/acl3", [(3, "world", "anyone"), (31, "digest", DIGEST)]))
    for connection in kept:
        for number in range(4):
            must(connection, CREATE2, create_("/parent/e-", b"", flags=3))
    must(first, CREATE, create_("/quota", b""))
    must(first, CREATE, create_("/zookeeper/quota/quota", b""))
    must(first, CREATE, create_("/zookeeper/quota/quota/zookeeper_limits", b"count=100,bytes=1000"))
    must(first, CREATE, create_("/zookeeper/quota/quota/zookeeper_stats", b"count=0,bytes=0"))
    must(first, CREATE, create_("/quota/a", b"12345"))
    must(first, SET_DATA, set_data_("/quota/a", b"1234567"))
    for number in range(10):
        must(third, SET_DATA, set_data_("/plain", b"value %d" % number))
    must(third, MULTI, multi_([(CREATE, create_("/m", b"1")), (SET_DATA, set_data_("/m", b"2")),
                               (CREATE, create_("/m/e", b"", flags=1)), (CHECK, path_version_("/plain", 10)),
                               (DELETE, path_version_("/empty"))]))
    must(third, MULTI, multi_([(CREATE, create_("/m/x", b"1")), (CHECK, path_version_("/plain", 99))]))
    closed = open_session(server.port, timeout=300_000)
    must(closed, CREATE, create_("/parent/closed", b"", flags=1))
    closed.close_session()

    # Random requests over all of it.
    # A server works out the usage under a quota when it starts, so clients must not write their own into it.
    generator = Generator(seed, slots=len(kept), extended_types=True, quotas=False)
    for path in ("/parent", "/acl1", "/quota", "/m", "/container2"):
        generator.learn(path)
    for _ in range(steps):
        kinds = ("create", "create", "delete", "set_data", "set_acl", "multi")
        operation, body, text = getattr(generator, generator.random.choice(kinds))()
        if len(body) > 1_000_000:
            continue  # More than a frame may hold: the connection would be closed.
        request = Request(generator.random.randrange(len(kept)), operation, body, text)
        reply = kept[request.slot].call(operation, body)
        if reply.error == 0:
            generator.observe(request, 0, decode_body(operation, reply.body))
    return kept


def state(server, kept):
    """Everything that must survive. Reattaches the kept sessions; returns (state, new connections)."""
    observer = open_session(server.port, super_user=True)
    tree = dump_tree(observer)
    for path in [path for path in tree if path.startswith("/zookeeper/config")]:
        del tree[path]
    observer.close_session()
    connections, alive = [], []
    for session, password in kept:
        connection = Connection(server.port)
        timeout, identifier, given, _ = connection.connect(session=session, password=password, timeout=300_000)
        alive.append((identifier == session, timeout, given == password))
        connections.append(connection)
        if timeout:
            connection.authenticate("digest", b"bob:secret")
    owners = sorted(set(entry[1].owner for entry in tree.values() if isinstance(entry[1], Stat)))
    mine = []
    for connection in connections:
        if connection.negotiated:
            mine.append(connection.ask(GET_EPHEMERALS, string_("/")))
    return {"tree": tree, "sessions alive": alive, "owners": owners, "ephemerals of the sessions": mine}, connections


def compare(before, after, what):
    trees = before["tree"], after["tree"]
    lines = []
    for path in sorted(set(trees[0]) | set(trees[1])):
        if trees[0].get(path) != trees[1].get(path):
            lines.append(f"{path}: was {trees[0].get(path)!r:.600}, is {trees[1].get(path)!r:.600}")
    for key in ("sessions alive", "owners", "ephemerals of the sessions"):
        if before[key] != after[key]:
            lines.append(f"{key}: was {before[key]!r:.600}, is {after[key]!r:.600}")
    if lines:
        raise Failure(f"{what}: {len(lines)} differences\n" + "\n".join(lines[:20]))


def no_mismatch(server):
    count = server.metrics().get("zk_digest_mismatches_count", "0")
    expect(count == "0", f"{server.kind} counts {count} digest mismatches")


def successor(server, make):
    """The other server on the data of this one."""
    follower = make(folder=temporary_folder(), settings=SETTINGS, properties=PROPERTIES)
    shutil.rmtree(follower.data)
    shutil.copytree(server.data, follower.data)
    return follower


def exchange(first, second, seed, kill):
    """Writes with `first`, ends it, starts `second` on the data; changes it there and goes back."""
    with first(settings=SETTINGS, properties=PROPERTIES) as server:
        connections = world(server, seed)
        kept = [(connection.session, connection.password) for connection in connections]
        before, again = state(server, kept)
        before_zxid = server.zxid()
        if server.kind == "conclave":
            no_mismatch(server)
        server.kill() if kill else server.stop()
        for connection in connections + again:
            connection.close()
        other = successor(server, second)
        count = len(before["tree"])
        with other:
            # The observing session of the first look was closed, which took the last zxid.
            expect_equal(other.zxid(), before_zxid, "last zxid after the change of servers")
            after, connections = state(other, kept)
            compare(before, after, f"{first.__name__} to {second.__name__}")
            no_mismatch(other)
            # The other goes on: changes everything a little, ends one session.
            for number in range(50):
                for connection in connections:
                    connection.ask(CREATE2, create_("/parent/next-", b"n%d" % number, flags=number % 4))
            connections[0].ask(SET_DATA, set_data_("/big", b"y" * 500_000))
            connections[0].ask(DELETE, path_version_("/null"))
            connections[1].ask(SET_ACL, set_acl_("/acl0", OPEN))
            connections[2].close_session()
            kept = kept[:2]
            world_after = [open_session(other.port, timeout=300_000)]
            world_after[0].ask(CREATE, create_("/later", b"", flags=1))
            kept.append((world_after[0].session, world_after[0].password))
            before, again = state(other, kept)
            before_zxid = other.zxid()
            other.kill() if kill else other.stop()
        back = successor(other, first)
        with back:
            expect_equal(back.zxid(), before_zxid, "last zxid after the way back")
            after, connections = state(back, kept)
            compare(before, after, f"{second.__name__} back to {first.__name__}")
            no_mismatch(back)
            error, _ = connections[0].ask(CREATE2, create_("/parent/next-", b"", flags=2))
            expect_equal(error, 0, "a create after the way back")
            reached = back.zxid()
            back.stop()
    return f"{count} nodes, last zxid 0x{reached:x}"


def check_to_apache():
    return exchange(Ours, Apache, 11, kill=False)


def check_to_apache_killed():
    return exchange(Ours, Apache, 12, kill=True)


def check_from_apache():
    return exchange(Apache, Ours, 13, kill=False)


def check_from_apache_killed():
    return exchange(Apache, Ours, 14, kill=True)


def check_expiry_after():
    """Sessions that nobody takes up again expire at the other server, with their ephemerals."""
    found = []
    for first, second in ((Ours, Apache), (Apache, Ours)):
        settings = {**SETTINGS, "tickTime": "200"}
        with first(settings=settings, properties=PROPERTIES) as server:
            connection = open_session(server.port, timeout=1000)
            for number in range(3):
                connection.ask(CREATE, create_(f"/e{number}", b"", flags=1))
            server.kill()
            other = successor(server, second)
            other.settings.update(settings)
            other.settings["dataDir"] = other.data
            with other:
                wait_until(lambda: other.metrics().get("zk_ephemerals_count") == "0", "the ephemerals go", 20)
                wait_until(lambda: other.metrics().get("zk_global_sessions") == "0", "the session goes", 20)
                late = Connection(other.port)
                timeout, *_ = late.connect(session=connection.session, password=connection.password)
                found.append(timeout)
    expect_equal(found, [0, 0], "the expired session is refused")


def check_tools():
    """TxnLogToolkit and SnapshotFormatter read every file of ours; a damaged log is found by the former."""
    with Ours(settings={**SETTINGS, "snapCount": "300"}, properties=PROPERTIES) as server:
        world(server, 15)
        state(server, [])
        server.stop()
        server.start()
        open_session(server.port).close_session()
        server.kill()
        folder = os.path.join(server.data, "version-2")
        logs = sorted((name for name in os.listdir(folder) if name.startswith("log.")), key=lambda n: int(n[4:], 16))
        snapshots = sorted(name for name in os.listdir(folder) if name.startswith("snapshot."))
        expect(logs and snapshots, f"files: {os.listdir(folder)}")
        transactions, last = 0, 0
        for name in logs:
            status, output, errors = java("org.apache.zookeeper.server.persistence.TxnLogToolkit",
                                          ["-d", os.path.join(folder, name)])
            expect(status == 0 and "CRC ERROR" not in output, f"TxnLogToolkit on {name}: {status} {output[-500:]} {errors}")
            lines = [line for line in output.splitlines() if " session 0x" in line]
            zxids = [int(re.search(r"zxid 0x([0-9a-f]+)", line).group(1), 16) for line in lines]
            expect(zxids == sorted(set(zxids)) and (not zxids or zxids[0] == int(name[4:], 16)),
                   f"{name} does not hold growing zxids from its name on")
            expect(not zxids or not last or zxids[0] == last + 1, f"{name} begins at {zxids[:1]} after {last}")
            last = zxids[-1] if zxids else last
            transactions += len(zxids)
            expect(f"Counted {len(lines)} " in output or not lines or "EOF reached" in output,
                   f"TxnLogToolkit on {name} ends with {output[-300:]}")
        nodes = 0
        for name in snapshots:
            status, output, errors = java("org.apache.zookeeper.server.SnapshotFormatter", [os.path.join(folder, name)])
            expect(status == 0 and "Exception" not in output + errors,
                   f"SnapshotFormatter on {name}: {status} {output[-500:]} {errors[-1500:]}")
            nodes += output.count("cZxid = ")
        expect(transactions > 1000 and nodes > 0, f"{transactions} transactions, {nodes} nodes")
        return f"{len(logs)} logs with {transactions} transactions, {len(snapshots)} snapshots with {nodes} nodes"


CHECKS = [
    ("files-to-apache", "our data directory, clean stop: Apache's server goes on with it, and back", check_to_apache),
    ("files-to-apache-killed", "the same after SIGKILL", check_to_apache_killed),
    ("files-from-apache", "Apache's data directory, clean stop: ours goes on with it, and back", check_from_apache),
    ("files-from-apache-killed", "the same after SIGKILL", check_from_apache_killed),
    ("files-expiry", "a session nobody takes up again expires at the other server", check_expiry_after),
    ("files-tools", "TxnLogToolkit and SnapshotFormatter read our files", check_tools),
]
