"""kazoo, the Python client, against our server: every operation, every recipe, reconnection and expiry.

Every scenario returns what it saw. It runs against both servers, and both must have seen the same.
"""

import logging
import threading
import time

from .harness import *
from .jute import Connection, open_session
from .proxy import Proxy


def quiet():
    logging.getLogger("kazoo").setLevel(logging.CRITICAL + 1)


class Clients:
    """kazoo clients of one scenario, stopped with it."""

    def __init__(self, server):
        self.server = server
        self.opened = []

    def open(self, chroot="", port=None, **options):
        from kazoo.client import KazooClient
        options.setdefault("timeout", 20)
        client = KazooClient(hosts=f"127.0.0.1:{port or self.server.port}{chroot}", **options)
        client.start(20)
        self.opened.append(client)
        return client

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self.opened:
            try:
                client.stop()
                client.close()
            except Exception:  # A client whose session was ended on purpose may refuse; it is gone either way.
                pass


def code(function, *arguments, **options):
    """The result, or the name of kazoo's exception."""
    try:
        return function(*arguments, **options)
    except Exception as error:
        return type(error).__name__


def told(stat):
    return (stat.version, stat.cversion, stat.aversion, stat.dataLength, stat.numChildren, bool(stat.ephemeralOwner))


def operations(server):
    from kazoo.exceptions import NoNodeError
    with Clients(server) as clients:
        client = clients.open()
        seen = []

        def note(*values):
            seen.append(values)
        note("create", client.create("/k", b"one"))
        note("again", code(client.create, "/k", b"x"))
        note("no parent", code(client.create, "/k/x/y", b""))
        note("makepath", client.create("/k/p/q/r", b"deep", makepath=True))
        note("sequence", [client.create("/k/s-", b"", sequence=True) for _ in range(3)])
        path, stat = client.create("/k/e", b"eph", ephemeral=True, include_data=True)
        note("ephemeral", path, told(stat), stat.ephemeralOwner == client.client_id[0])
        note("ephemeral sequence", client.create("/k/es-", b"", ephemeral=True, sequence=True))
        note("child of ephemeral", code(client.create, "/k/e/c", b""))
        note("exists", told(client.exists("/k")), client.exists("/nothing"))
        data, stat = client.get("/k")
        note("get", data, told(stat), stat.czxid == stat.mzxid, stat.ctime == stat.mtime)
        note("get nothing", code(client.get, "/nothing"))
        note("set", told(client.set("/k", b"two")), told(client.set("/k", b"three", version=1)))
        note("set wrong version", code(client.set, "/k", b"x", version=1))
        note("set nothing", code(client.set, "/nothing", b""))
        note("children", sorted(client.get_children("/k")), code(client.get_children, "/nothing"))
        names, stat = client.get_children("/k", include_data=True)
        note("children with stat", sorted(names), told(stat))
        note("delete not empty", code(client.delete, "/k/p"))
        note("delete wrong version", code(client.delete, "/k/e", version=7))
        note("delete", client.delete("/k/e", version=0), client.exists("/k/e"))
        note("delete recursive", client.delete("/k/p", recursive=True), client.exists("/k/p"))
        note("ensure path", client.ensure_path("/k/a/b/c"), client.ensure_path("/k/a/b/c"))
        note("sync", client.sync("/k"))
        note("empty and null", client.create("/k/empty", b""), client.get("/k/empty")[0])
        note("unicode", client.create("/k/smörgås x", "gås".encode()), sorted(client.get_children("/k"))[-1])
        note("server version", len(client.server_version()))
        note("command", client.command(b"ruok"), client.command(b"srvr").split(":")[0])
        # Asynchronous forms, many at once.
        created = [client.create_async(f"/k/async-{n}", str(n).encode()) for n in range(200)]
        note("async", [one.get(20) for one in created] == [f"/k/async-{n}" for n in range(200)])
        read = [client.get_async(f"/k/async-{n}") for n in range(200)]
        note("async read", [one.get(20)[0] for one in read] == [str(n).encode() for n in range(200)])
        note("async failure", code(client.get_async("/nothing").get, 20))
        # Every operation after the session is closed fails.
        client.stop()
        note("stopped", code(client.get, "/k"))
        other = clients.open()
        note("ephemerals went with the session", [n for n in other.get_children("/k") if n.startswith("es-")])
        for invalid in ("//", "/a//b", "/a/../b", "relative"):
            note("path", invalid, code(other.create, invalid, b""))
        return seen


def access(server):
    from kazoo.security import ACL, Id, make_acl, make_digest_acl, OPEN_ACL_UNSAFE, CREATOR_ALL_ACL, READ_ACL_UNSAFE
    with Clients(server) as clients:
        seen = []
        owner = clients.open(auth_data=[("digest", "bob:secret")])
        stranger = clients.open()
        mine = make_digest_acl("bob", "secret", all=True)
        owner.create("/private", b"p", acl=[mine])
        seen.append(owner.get("/private")[0])
        seen.append(code(stranger.get, "/private"))
        seen.append(code(stranger.set, "/private", b"x"))
        seen.append(code(stranger.create, "/private/x", b""))
        owner.create("/private/child", b"")
        seen.append(code(stranger.delete, "/private/child"))
        seen.append(code(stranger.get_children, "/private"))
        seen.append(code(stranger.get_acls, "/private"))
        seen.append(code(stranger.set_acls, "/private", OPEN_ACL_UNSAFE))
        seen.append([str(entry) for entry in owner.get_acls("/private")[0]])
        seen.append(owner.get_acls("/private")[1].aversion)
        stranger.add_auth("digest", "bob:secret")
        seen.append(stranger.get("/private")[0])
        owner.create("/auth", b"", acl=CREATOR_ALL_ACL)
        seen.append([str(entry) for entry in owner.get_acls("/auth")[0]])
        third = clients.open()
        seen.append(code(third.create, "/auth2", b"", acl=CREATOR_ALL_ACL))
        seen.append(code(third.create, "/bad", b"", acl=[make_acl("nosuch", "x", all=True)]))
        owner.create("/readable", b"r", acl=READ_ACL_UNSAFE + [make_digest_acl("bob", "secret", all=True)])
        seen.append((third.get("/readable")[0], code(third.set, "/readable", b"x"), code(owner.set, "/readable", b"y") == "x"))
        seen.append(sorted(str(entry) for entry in third.get_acls("/readable")[0]))
        seen.append(told(owner.set_acls("/readable", OPEN_ACL_UNSAFE, version=0)))
        seen.append(code(owner.set_acls, "/readable", OPEN_ACL_UNSAFE, version=0))
        seen.append(told(third.set("/readable", b"z")))
        owner.create("/local", b"", acl=[make_acl("ip", "127.0.0.1/8", all=True)])
        seen.append(third.get("/local")[0])
        owner.create("/remote", b"", acl=[make_acl("ip", "10.0.0.0/8", all=True)])
        seen.append(code(third.get, "/remote"))
        root = clients.open(auth_data=[("digest", SUPER_PASSWORD)])
        seen.append((root.get("/remote")[0], root.get("/private")[0]))
        # A credential given before a reconnection counts after it.
        proxy = Proxy(server.port)
        roaming = clients.open(port=proxy.port, auth_data=[("digest", "bob:secret")])
        session = roaming.client_id[0]
        proxy.cut()
        wait_until(lambda: roaming.connected, "reconnected")
        seen.append((roaming.retry(roaming.get, "/private")[0], roaming.client_id[0] == session))
        proxy.close()
        return seen


def transactions(server):
    with Clients(server) as clients:
        client = clients.open()
        seen = []

        def run(*steps):
            transaction = client.transaction()
            for step in steps:
                step(transaction)
            return [result if isinstance(result, (str, bool)) else
                    told(result) if hasattr(result, "version") else type(result).__name__
                    for result in transaction.commit()]
        client.create("/t", b"0")
        seen.append(run(lambda t: t.create("/t/a", b"a"), lambda t: t.create("/t/a/b", b"b"),
                        lambda t: t.set_data("/t", b"1"), lambda t: t.check("/t", 1), lambda t: t.delete("/t/a/b")))
        seen.append((sorted(client.get_children("/t")), client.get("/t")[0]))
        seen.append(run(lambda t: t.create("/t/c", b""), lambda t: t.check("/t", 99), lambda t: t.create("/t/d", b"")))
        seen.append(sorted(client.get_children("/t")))
        seen.append(run(lambda t: t.delete("/t/nothing")))
        seen.append(run(lambda t: t.create("/t/s-", b"", sequence=True), lambda t: t.create("/t/s-", b"", sequence=True),
                        lambda t: t.create("/t/e", b"", ephemeral=True)))
        seen.append(run(lambda t: t.set_data("/t", b"x", 0)))
        seen.append(run())
        stat = client.exists("/t")
        seen.append((stat.version, stat.cversion, stat.numChildren))
        seen.append(client.exists("/t/a").czxid == client.exists("/t").mzxid)
        return seen


def watches(server):
    with Clients(server) as clients:
        client, other = clients.open(), clients.open()
        seen = []
        events = []
        arrived = threading.Condition()

        def watch(event):
            with arrived:
                events.append((event.type, event.state, event.path))
                arrived.notify_all()

        def expect_events(count):
            with arrived:
                expect(arrived.wait_for(lambda: len(events) >= count, 20), f"{count} events, found {events}")
                found, events[:] = list(events), []
                return found
        client.exists("/w", watch=watch)
        other.create("/w", b"0")
        seen.append(expect_events(1))
        client.get("/w", watch=watch)
        other.set("/w", b"1")
        seen.append(expect_events(1))
        client.get_children("/w", watch=watch)
        other.create("/w/c", b"")
        seen.append(expect_events(1))
        client.get("/w/c", watch=watch)
        client.get_children("/w/c", watch=watch)
        other.delete("/w/c")
        seen.append(sorted(expect_events(2)))
        # One watch fires once.
        client.get("/w", watch=watch)
        for value in range(5):
            other.set("/w", str(value).encode())
        client.sync("/w")
        seen.append(expect_events(1))

        # The recipes on top of them.
        values, lists = [], []
        client.DataWatch("/w/data")(lambda data, stat: values.append((data, stat and stat.version)) and None)
        client.ChildrenWatch("/w")(lambda names: lists.append(sorted(names)) and None)
        other.create("/w/data", b"a")
        wait_until(lambda: values and values[-1][0] == b"a", f"data watch {values}")
        for value in range(20):
            other.set("/w/data", str(value).encode())
        wait_until(lambda: values[-1] == (b"19", 20), "last data")
        versions = [version for _, version in values if version is not None]
        seen.append(("grows", versions == sorted(set(versions))))
        other.create("/w/n1", b"")
        wait_until(lambda: lists[-1] == ["data", "n1"], "children")
        other.delete("/w/n1")
        other.delete("/w/data")
        wait_until(lambda: lists[-1] == [] and values[-1] == (None, None), "nothing left")

        # Watches set before a cut fire after it.
        proxy = Proxy(server.port)
        roaming = clients.open(port=proxy.port)
        followed = []
        roaming.create("/w/roam", b"0")
        roaming.DataWatch("/w/roam")(lambda data, stat: followed.append(data) and None)
        wait_until(lambda: followed == [b"0"], "first value")
        proxy.cut(refuse=True)
        wait_until(lambda: not roaming.connected, "suspended")
        other.set("/w/roam", b"1")
        proxy.heal()
        wait_until(lambda: followed[-1] == b"1", "value after the cut")
        other.set("/w/roam", b"2")
        wait_until(lambda: followed[-1] == b"2", "value later")
        proxy.close()

        cache_events = []
        from kazoo.recipe.cache import TreeCache
        cache = TreeCache(client, "/w")
        cache.listen(lambda event: cache_events.append(event) is None)
        cache.start()
        wait_until(lambda: cache.get_data("/w/roam"), "tree cache filled")
        other.create("/w/deep/er", b"x", makepath=True)
        wait_until(lambda: cache.get_data("/w/deep/er"), "tree cache follows")
        seen.append((cache.get_data("/w/deep/er").data, sorted(cache.get_children("/w"))))
        cache.close()
        return seen


def sessions(server):
    from kazoo.client import KazooState
    with Clients(server) as clients:
        seen = []
        proxy = Proxy(server.port)
        states = []
        client = clients.open(port=proxy.port)
        client.add_listener(lambda state: states.append(state) and None)
        session = client.client_id
        client.create("/sessions", b"")
        client.create("/sessions/e", b"", ephemeral=True)
        for _ in range(3):
            before = len(states)
            proxy.cut()
            wait_until(lambda: len(states) >= before + 2 and client.connected, "reconnected")
            seen.append((states[before:before + 2], client.client_id == session))
        observer = clients.open()
        seen.append(("kept", observer.exists("/sessions/e") is not None))
        # The session ended by somebody else: the client is told it is lost, and gets a new one.
        thief = Connection(server.port)
        thief.connect(session=session[0], password=session[1], timeout=20_000)
        thief.close_session()
        wait_until(lambda: KazooState.LOST in states, "lost")
        wait_until(lambda: client.connected and client.client_id != session, "a new session")
        seen.append(("freed", observer.exists("/sessions/e")))
        proxy.close()
        # A client that falls silent: the server ends its session and frees what it held.
        silent = open_session(server.port, timeout=1)
        from .jute import CREATE, create_
        silent.call(CREATE, create_("/sessions/silent", b"", flags=1))
        gone = threading.Event()
        expect(observer.exists("/sessions/silent", watch=lambda event: gone.set()), "the silent client's node exists")
        begin = time.monotonic()
        expect(gone.wait(30), "the silent session expires")
        limit = silent.negotiated / 1000
        waited = time.monotonic() - begin
        seen.append(("expired in time", limit * 0.5 < waited < limit + 2 * int(server.settings["tickTime"]) / 1000 + 1,
                     observer.exists("/sessions/silent")))
        expect(seen[-1][1], f"expired after {waited:.2f} s with a timeout of {limit} s")
        late = Connection(server.port)
        seen.append(("late", late.connect(session=silent.session, password=silent.password)[0]))
        # The server restarts: sessions and ephemerals live on.
        kept = clients.open()
        kept.create("/sessions/kept", b"", ephemeral=True)
        session = kept.client_id
        server.stop()
        server.start()
        wait_until(lambda: kept.connected, "reconnected to the restarted server")
        wait_until(lambda: observer.connected, "the other too")
        seen.append(("restart", kept.client_id == session, observer.exists("/sessions/kept") is not None))
        return seen


def chroots(server):
    with Clients(server) as clients:
        root = clients.open()
        root.create("/chroot/app", b"", makepath=True)
        inside = clients.open(chroot="/chroot/app")
        seen = [inside.create("/x", b"1"), root.get("/chroot/app/x")[0], inside.get_children("/"),
                inside.create("/s-", b"", sequence=True), inside.get("/x")[0]]
        fired = threading.Event()
        paths = []
        inside.get("/x", watch=lambda event: (paths.append(event.path), fired.set()))
        root.set("/chroot/app/x", b"2")
        expect(fired.wait(20), "watch inside the chroot")
        seen.append(paths)
        transaction = inside.transaction()
        transaction.create("/y", b"")
        seen.append(transaction.commit())
        seen.append(sorted(root.get_children("/chroot/app")))
        inside.delete("/x")
        seen.append(code(inside.get, "/x"))
        return seen


def sizes(server):
    with Clients(server) as clients:
        client = clients.open()
        client.create("/sizes", b"")
        seen = []
        for size in (0, 1, 1023, 65_536, 500_000, 1_000_000, 1_048_000):
            data = bytes([size % 251]) * size
            client.create(f"/sizes/{size}", data)
            seen.append((size, client.get(f"/sizes/{size}")[0] == data, client.exists(f"/sizes/{size}").dataLength))
        # One byte more than a frame may hold: the server drops the connection.
        seen.append(("too large", code(client.create, "/sizes/large", bytes(1_048_576))))
        wait_until(lambda: client.connected, "connected again")
        seen.append(("after it", client.retry(client.exists, "/sizes/large")))
        # Many children, whose list exceeds one read.
        for start in range(0, 3000, 500):
            for one in [client.create_async(f"/sizes/child-{n:05}-" + "x" * 40) for n in range(start, start + 500)]:
                one.get(20)
        seen.append(len(client.get_children("/sizes")))
        return seen


def recipes(server):
    from kazoo.exceptions import LockTimeout
    with Clients(server) as clients:
        seen = []
        one, two = clients.open(), clients.open()

        def in_thread(function):
            box = []
            thread = threading.Thread(target=lambda: box.append(code(function)), daemon=True)
            thread.start()
            return thread, box

        def joined(pair):
            pair[0].join(20)
            expect(not pair[0].is_alive(), "a recipe does not end")
            return pair[1][0]

        # Lock.
        first, second = one.Lock("/r/lock", "one"), two.Lock("/r/lock", "two")
        seen.append(("lock", first.acquire(timeout=10), second.acquire(blocking=False), code(second.acquire, timeout=0.2)))
        waiting = in_thread(lambda: second.acquire(timeout=20))
        wait_until(lambda: len(first.contenders()) == 2, "two contenders")
        seen.append(first.contenders())
        first.release()
        seen.append((joined(waiting), second.contenders()))
        second.release()
        # Counted under the lock by eight clients.
        counted = [0]

        def count(client):
            lock = client.Lock("/r/count")
            for _ in range(10):
                with lock:
                    value = counted[0]
                    time.sleep(0)
                    counted[0] = value + 1
            return True
        group = [clients.open() for _ in range(4)]
        seen.append(("counted", [joined(pair) for pair in [in_thread(lambda c=c: count(c)) for c in group]], counted[0]))

        # Read and write lock.
        reader, reader2, writer = one.ReadLock("/r/rw"), two.ReadLock("/r/rw"), clients.open().WriteLock("/r/rw")
        seen.append(("rw", reader.acquire(timeout=10), reader2.acquire(timeout=10), writer.acquire(blocking=False)))
        waiting = in_thread(lambda: writer.acquire(timeout=20))
        wait_until(lambda: len(one.get_children("/r/rw")) == 3, "writer waits")
        late = clients.open().ReadLock("/r/rw")
        seen.append(late.acquire(blocking=False))
        reader.release()
        reader2.release()
        seen.append(joined(waiting))
        writer.release()

        # Semaphore.
        leases = [clients.open().Semaphore("/r/sem", f"c{n}", max_leases=2) for n in range(3)]
        seen.append(("semaphore", [lease.acquire(blocking=False) for lease in leases], sorted(leases[0].lease_holders())))
        waiting = in_thread(lambda: leases[2].acquire(timeout=20))
        leases[0].release()
        seen.append((joined(waiting), sorted(leases[1].lease_holders())))

        # Election.
        led = []
        lead = threading.Event()
        election, other = one.Election("/r/election", "one"), two.Election("/r/election", "two")

        def leader():
            led.append("one")
            lead.wait(20)
        run = in_thread(lambda: election.run(leader))
        wait_until(lambda: led == ["one"], "elected")
        rival = in_thread(lambda: other.run(lambda: led.append("two")))
        wait_until(lambda: len(election.contenders()) == 2, "rival waits")
        seen.append(("election", election.contenders()))
        lead.set()
        joined(run), joined(rival)
        seen.append(led)

        # Barriers.
        barrier = one.Barrier("/r/barrier")
        barrier.create()
        seen.append(("barrier", two.Barrier("/r/barrier").wait(0.1)))
        waiting = in_thread(lambda: two.Barrier("/r/barrier").wait(20))
        seen.append(barrier.remove())
        seen.append(joined(waiting))
        group = [clients.open().DoubleBarrier("/r/double", 3, f"d{n}") for n in range(3)]
        entered = [in_thread(one_barrier.enter) for one_barrier in group]
        for pair in entered:
            joined(pair)
        seen.append(("double", [one_barrier.participating for one_barrier in group]))
        left = [in_thread(one_barrier.leave) for one_barrier in group]
        for pair in left:
            joined(pair)
        seen.append(one.get_children("/r/double"))

        # Counter.
        counters = [clients.open().Counter("/r/counter") for _ in range(3)]

        def add(counter):
            for _ in range(10):
                counter += 1
            return True
        for pair in [in_thread(lambda c=c: add(c)) for c in counters]:
            joined(pair)
        seen.append(("counter", counters[0].value))

        # Queues.
        queue = one.Queue("/r/queue")
        for text in (b"a", b"b", b"c"):
            queue.put(text)
        queue.put(b"first", priority=1)
        seen.append(("queue", len(queue), [queue.get() for _ in range(5)]))
        locking, locking2 = one.LockingQueue("/r/locking"), two.LockingQueue("/r/locking")
        locking.put_all([b"x", b"y", b"z"])
        seen.append((locking.get(10), locking.holds_lock(), locking2.get(10), locking.consume(), locking2.release(),
                     locking2.get(10), len(locking)))

        # Party and partitioner.
        members = [clients.open().Party("/r/party", f"m{n}") for n in range(3)]
        for member in members:
            member.join()
        seen.append(("party", sorted(members[0]), len(members[1])))
        members[2].leave()
        seen.append(sorted(members[0]))
        shallow = one.ShallowParty("/r/shallow", "s1")
        shallow.join()
        seen.append((len(shallow), list(shallow)))
        partitions = [client.SetPartitioner("/r/parts", set=(1, 2, 3, 4), identifier=name, time_boundary=0.2)
                      for client, name in ((one, "p1"), (two, "p2"))]

        def settled():
            for partition in partitions:
                if partition.allocating:
                    partition.wait_for_acquire(0.1)
                elif partition.release:
                    partition.release_set()
            return all(partition.acquired and len(list(partition)) == 2 for partition in partitions)
        wait_until(settled, "partitions settle", 30)
        seen.append(("partitions", sorted(item for partition in partitions for item in partition)))
        for partition in partitions:
            partition.finish()
        return seen


SCENARIOS = (operations, access, transactions, watches, sessions, chroots, sizes, recipes)


def scenario(function):
    def run():
        quiet()
        seen = []
        for make in (Apache, Ours):
            with make(settings={"tickTime": "500"}) as server:
                try:
                    seen.append(function(server))
                except Failure as failure:
                    raise Failure(f"with {server.kind}: {failure}; {server.log_tail()}")
        expect_equal(len(seen[1]), len(seen[0]), "results")
        for apache, ours in zip(*seen):
            expect_equal(ours, apache, "not what Apache's server gives")
        return f"{len(seen[0])} results"
    return run


CHECKS = [(f"kazoo-{function.__name__}", f"kazoo as our client: {function.__name__}", scenario(function))
          for function in SCENARIOS]
