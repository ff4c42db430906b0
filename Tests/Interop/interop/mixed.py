"""Ensembles of three servers in every mix of ours and Apache's, each kind leading: what a client sees of them, servers that
end and return, and in the end the same tree everywhere.
"""

from .ensemble import *
from .kazoo_client import code, quiet

#: More than a leader keeps in memory for servers that return.
FAR_BEHIND = 700


def elect(ensemble, wanted):
    """Starts the servers so that `wanted` leads: the last one by its id, the others by what they have and the others lack."""
    if wanted == 3:
        # Together with the first, so that nobody settles before it is heard.
        ensemble.start(1, 3)
        ensemble.start(2)
    elif wanted == 2:
        ensemble.start(1, 2)
        ensemble.start(3)
    else:
        ensemble.start(1, 3)
        session = ensemble.session(1)
        for number in range(3):
            expect_equal(session.ask(CREATE, create_(f"/before-{number}", b""))[0], 0, "a create")
        session.close_session()
        ensemble.wait_equal(1, 3)
        ensemble.kill(3)
        ensemble.start(2)
        ensemble.wait_serving(1)
        ensemble.start(3)
    ensemble.wait_serving()
    expect_equal(ensemble.leader(), wanted, f"the leader of {ensemble.kinds}")


# What clients do.

def everyday(ensemble, root):
    """Every operation through every server, looked at through every other."""
    from kazoo.client import KazooClient
    quiet()
    clients = [KazooClient(hosts=f"127.0.0.1:{port}", timeout=20) for port in ensemble.ports()]
    try:
        for id_, client in zip(ensemble.ids, clients):
            client.pings_when_silent_leader = ensemble[id_].kind == "apache" and ensemble.leader() == id_
            client.start(20)
        clients[0].create(root, b"root")
        for index, client in enumerate(clients):
            through(client, clients[index - 1], f"{root}/s{index}", root)
        together(clients, root)
    finally:
        for client in clients:
            try:
                client.stop()
                client.close()
            except Exception:  # The servers are gone if a check failed; the sessions do not matter then.
                pass


def fresh(client):
    client.sync("/")
    if client.pings_when_silent_leader:
        # It answers a sync at once, perhaps before it has applied what others already have, but writes in their order.
        code(client.delete, "/no-such-node")
    return client


def through(client, other, base, root):
    """Writes through one server, and reads through another."""
    fresh(client)
    expect_equal(client.create(base, b"one"), base, "create")
    expect_equal(fresh(other).get(base)[0], b"one", "get elsewhere")
    path, stat = client.create(base + "/with", b"stat", include_data=True)
    expect_equal(fresh(other).get(path)[1], stat, "the Stat in the answer to create2, and elsewhere")
    expect_equal(client.set(base, b"two"), fresh(other).get(base)[1], "the Stat in the answer to set, and elsewhere")
    names = [client.create(base + "/n-", b"", sequence=True) for _ in range(3)]
    expect_equal([int(name[-10:]) for name in names], [1, 2, 3], "numbers of sequential nodes")
    expect_equal(sorted(fresh(other).get_children(base)), sorted(["with"] + [n.rsplit("/", 1)[1] for n in names]),
                 "children elsewhere")
    # What fails.
    client.create(base + "/e", b"", ephemeral=True)
    found = [code(client.create, base), code(client.delete, base), code(client.delete, base + "/no"),
             code(client.set, base, b"", version=7), code(client.create, base + "/e/below"),
             code(client.create, base + "/no/no")]
    expect_equal(found, ["NodeExistsError", "NotEmptyError", "NoNodeError", "BadVersionError",
                         "NoChildrenForEphemeralsError", "NoNodeError"], "what fails")
    # Watches hear what happens through another server.
    events, lock = [], threading.Lock()

    def hear(name):
        def watch(event):
            with lock:
                events.append((name, event.type, event.path))
        return watch
    client.get(base, watch=hear("data"))
    client.get_children(base, watch=hear("children"))
    client.exists(base + "/later", watch=hear("exists"))
    other.set(base, b"three")
    other.create(base + "/later", b"")
    wanted = {("data", "CHANGED", base), ("children", "CHILD", base), ("exists", "CREATED", base + "/later")}
    wait_until(lambda: len(events) >= 3, f"three events, and not only {events}", 10)
    expect_equal(set(events), wanted, "events")
    # All or nothing.
    multi = client.transaction()
    multi.create(base + "/m", b"1")
    multi.set_data(base + "/m", b"2")
    multi.check(base + "/m", 1)
    multi.create(base + "/m/s-", b"", sequence=True)
    multi.delete(base + "/with")
    results = multi.commit()
    expect_equal((results[0], results[1].version, results[2:]), (base + "/m", 1, [True, base + "/m/s-0000000000", True]),
                 "the results of a multi")
    expect_equal(fresh(other).get(base + "/m")[1], results[1]._replace(numChildren=1, cversion=1,
                 pzxid=results[1].mzxid), "the Stat in the answer to a multi, and elsewhere")
    multi = client.transaction()
    multi.create(base + "/gone", b"")
    multi.delete(base + "/never")
    multi.create(base + "/gone2", b"")
    expect_equal([type(one).__name__ for one in multi.commit()],
                 ["RolledBackError", "NoNodeError", "RuntimeInconsistency"], "the results of a multi that fails")
    expect_equal([fresh(one).exists(base + "/gone") for one in (client, other)], [None, None], "what a failed multi made")
    # Who may what.
    from kazoo.security import make_digest_acl
    user = "user-" + base.rsplit("/", 1)[1]
    client.add_auth("digest", user + ":secret")
    client.create(base + "/private", b"p", acl=[make_digest_acl(user, "secret", all=True)])
    expect_equal(code(fresh(other).get, base + "/private"), "NoAuthError", "a private node elsewhere")
    expect_equal(code(other.set, base + "/private", b""), "NoAuthError", "writing to a private node elsewhere")
    expect_equal(client.get(base + "/private")[0], b"p", "a private node here")
    # In flight at the same time.
    created = [client.create_async(f"{base}/async-{number:03}", b"%d" % number) for number in range(100)]
    expect_equal([one.get(20) for one in created], [f"{base}/async-{number:03}" for number in range(100)], "answers")
    read = [fresh(other).get_async(f"{base}/async-{number:03}") for number in range(100)]
    expect_equal([one.get(20)[0] for one in read], [b"%d" % number for number in range(100)], "data elsewhere")
    for number in range(20):
        client.set(root, b"%d" % number)
        expect_equal(fresh(other).get(root)[0], b"%d" % number, "a read behind a sync")


def together(clients, root):
    """What several clients at different servers do at the same time."""
    base = root + "/all"
    clients[0].create(base, b"")
    for client in clients:
        fresh(client)
    pending = [(number, client.create_async(base + "/q-", b"", sequence=True))
               for number in range(40) for client in clients]
    names = [one.get(20) for _, one in pending]
    expect_equal(len(set(names)), len(names), "sequential nodes of the same name")
    for client in clients:
        expect_equal(sorted(fresh(client).get_children(base)), sorted(name.rsplit("/", 1)[1] for name in names), "children")
    # One writer wins.
    version = clients[0].get(root)[1].version
    tries = [client.set_async(root, b"mine", version=version) for client in clients]
    outcomes = sorted(code(one.get, 20).__class__.__name__ for one in tries)
    won = [outcome for outcome in outcomes if outcome == "ZnodeStat"]
    expect_equal(len(won), 1, f"winners of a race for a version ({outcomes})")
    # Ephemerals go with their session, everywhere.
    for index, client in enumerate(clients):
        client.create(f"{root}/e{index}", b"", ephemeral=True)
    for client in clients:
        found = [fresh(client).exists(f"{root}/e{index}").ephemeralOwner for index in range(len(clients))]
        expect_equal(found, [one.client_id[0] for one in clients], "owners")
    gone = threading.Event()
    clients[0].exists(f"{root}/e{len(clients) - 1}", watch=lambda event: gone.set())
    clients[-1].stop()
    expect(gone.wait(10), "the watch on an ephemeral node was not heard")
    clients[-1].start(20)
    for client in clients:
        expect_equal([bool(fresh(client).exists(f"{root}/e{index}")) for index in range(len(clients))],
                     [True] * (len(clients) - 1) + [False], "ephemeral nodes after a session has ended")


def moving(ensemble, root):
    """A session goes from server to server and keeps its ephemeral nodes; the place it left cannot write any more."""
    first = ensemble.session(1, timeout=20_000)
    session, password = first.session, first.password
    expect_equal(first.ask(CREATE, create_(root))[0], 0, "create")
    expect_equal(first.ask(CREATE, create_(f"{root}/e0", flags=1))[0], 0, "an ephemeral node")
    left, places = first, list(ensemble.ids[1:]) + [ensemble.leader(), 1]
    made = 1
    for id_ in places:
        connection = reattach(ensemble, id_, left)
        expect_equal((connection.negotiated, connection.session), (20_000, session), f"the session at server {id_}")
        expect_equal(connection.call(SYNC, string_("/")).error, 0, "sync")
        error, value = connection.ask(GET_CHILDREN, path_watch_(root))
        expect_equal((error, value), (0, ([f"e{n}" for n in range(made)],)), f"ephemeral nodes at server {id_}")
        expect_equal(connection.ask(CREATE, create_(f"{root}/e{made}", flags=1))[0], 0, "another ephemeral node")
        made += 1
        try:
            error = left.call(CREATE, create_(f"{root}/late-{made}"), xid=1_000_000 + made).error
        except Closed:
            error = "closed"
        expect(error in (-118, "closed"), f"a write at the place that the session left: {error}")
        left.close()
        left = connection
    # A password that is wrong, and a session that never was. Not the session of before: Apache's server ends the connection
    # of a session that somebody else does not know the password of.
    other = ensemble.session(1)
    for name, options in (("a wrong password", {"session": other.session, "password": b"\x01" * 16}),
                          ("an unknown session", {"session": 0x1234567, "password": session_password(0x1234567)})):
        for id_ in ensemble.ids:
            connection = Connection(ensemble[id_].port)
            expect_equal(connection.connect(timeout=20_000, **options)[0], 0, f"{name} at server {id_}")
            connection.close()
    other.close()
    observer = ensemble.session(2)
    expect_equal(len(observer.ask(GET_CHILDREN, path_watch_(root))[1][0]), made, "ephemeral nodes before the end")
    left.close_session()
    observer.call(SYNC, string_("/"))
    expect_equal(observer.ask(GET_CHILDREN, path_watch_(root))[1], ([],), "ephemeral nodes after the end")
    observer.close_session()


def reattach(ensemble, id_, left):
    """A connection to another server for the session of this one. A server that is behind what the client has seen ends
    the connection, and the client comes again."""
    def attached():
        connection = Connection(ensemble[id_].port)
        try:
            connection.connect(session=left.session, password=left.password, timeout=left.negotiated,
                               last_zxid=left.last_zxid)
            # As every client, whose next connection counts on: servers know a session's requests by these numbers.
            connection.xid = left.xid
            return connection.pings_when_silent() if ensemble[id_].kind == "apache" else connection
        except Closed:
            connection.close()
    return wait_until(attached, f"server {id_} takes a session at {left.last_zxid:#x}", PATIENCE)


def expiring(ensemble, root):
    """Sessions end in time when their clients are silent, wherever they were connected, and not when they are not."""
    silent = [ensemble.session(id_, timeout=4000) for id_ in ensemble.ids]
    lively = [ensemble.session(id_, timeout=4000) for id_ in ensemble.ids]
    expect_equal(silent[0].ask(CREATE, create_(root))[0], 0, "create")
    for kind, sessions in (("silent", silent), ("lively", lively)):
        for index, session in enumerate(sessions):
            session.call(SYNC, string_("/"))
            expect_equal(session.ask(CREATE, create_(f"{root}/{kind}{index}", flags=1))[0], 0, "an ephemeral node")
    begin = time.monotonic()

    def names():
        for session in lively:
            session.ping()
        return lively[0].ask(GET_CHILDREN, path_watch_(root))[1][0]
    wait_until(lambda: not [name for name in names() if name.startswith("silent")], "the silent sessions end", PATIENCE, 0.1)
    took = time.monotonic() - begin
    expect(took > 3.5, f"sessions of 4 s ended after {took:.1f} s")
    expect_equal(len(names()), len(lively), "ephemeral nodes of sessions that are used")
    for session in lively:
        session.close_session()
    for session in silent:
        session.close()
    return took


# Servers that end and return.

def leader_replaced(ensemble, root):
    """The leader is killed; the others go on; it returns and gets what it missed."""
    old = ensemble.leader()
    rest = [id_ for id_ in ensemble.running if id_ != old]
    kept = ensemble.session(rest[0], timeout=30_000)
    expect_equal(kept.ask(CREATE, create_(root))[0], 0, "create")
    expect_equal(kept.ask(CREATE, create_(f"{root}/kept", flags=1))[0], 0, "an ephemeral node")
    reached = ensemble.zxid(old)
    ensemble.kill(old)
    kept.close()
    ensemble.wait_leader(*rest)
    ensemble.wait_serving(*rest)
    expect(ensemble.zxid(ensemble.leader(rest)) >> 32 > reached >> 32, "the epoch does not grow")
    session = reattach(ensemble, rest[1], kept)
    expect(session.negotiated != 0, "the session did not outlive the leader")
    for number in range(30):
        expect_equal(session.ask(CREATE, create_(f"{root}/{number}", b"x" * number))[0], 0, "a create")
    error, value = session.ask(EXISTS, path_watch_(f"{root}/kept"))
    expect(error == 0 and value[0].owner == kept.session, "the ephemeral node of the session is gone")
    mark = ensemble.mark(old)
    ensemble.launch(old)
    ensemble.wait_serving(old)
    expect_equal(ensemble.method(old, mark), "DIFF", f"how server {old} caught up{ensemble.tails()}")
    session.close_session()
    ensemble.wait_equal()


def many(session, root, count=FAR_BEHIND):
    expect_equal(session.ask(CREATE, create_(root))[0], 0, "create")
    for number in range(count):
        session.post(CREATE, create_(f"{root}/{number}", b"%d" % number))
    for number in range(count):
        expect_equal(session.reply().error, 0, "a create")


def far_behind(ensemble, root):
    """A follower misses more than the leader keeps in memory and gets a snapshot; writes go on meanwhile."""
    leader = ensemble.leader()
    reads_logs = ensemble[leader].kind == "apache" and "snapshotSizeFactor" not in ensemble[leader].settings
    follower = next(id_ for id_ in ensemble.voters if id_ != leader)
    session = ensemble.session(leader)
    ensemble.kill(follower)
    many(session, root)
    mark = ensemble.mark(follower)
    ensemble.launch(follower)
    number = FAR_BEHIND
    while ensemble.role(follower) is None:
        number += 1
        expect_equal(session.ask(CREATE, create_(f"{root}/{number}", b""))[0], 0, "a create")
        ensemble.expect_alive()
    expect_equal(ensemble.method(follower, mark), "DIFF" if reads_logs else "SNAP",
                 f"how server {follower} caught up{ensemble.tails()}")
    session.close_session()
    ensemble.wait_equal()
    # What it got is on its disk too.
    ensemble.kill(follower)
    mark = ensemble.mark(follower)
    ensemble.launch(follower)
    ensemble.wait_serving(follower)
    expect_equal(ensemble.method(follower, mark), "DIFF", f"how server {follower} caught up again{ensemble.tails()}")
    ensemble.wait_equal()


def mix(kinds, leader):
    def check():
        # Apache's leaders may read their logs for those that are far behind; in half of the mixes they may not.
        settings = {} if leader == 2 else {"snapshotSizeFactor": "-1"}
        with Ensemble(kinds, settings=settings) as ensemble:
            elect(ensemble, leader)
            everyday(ensemble, "/everyday")
            moving(ensemble, "/moving")
            ensemble.agree()
            leader_replaced(ensemble, "/replaced")
            far_behind(ensemble, "/behind")
            leader_replaced(ensemble, "/replaced2")
            nodes = ensemble.agree(digests=False)
            # All of it again from what is on the disks.
            ensemble.kill(*ensemble.ids)
            ensemble.start()
            ensemble.agree(digests=False)
            return f"{nodes} nodes"
    return check


# A leader whose last writes nobody else has.

def tail(kinds, goes_on):
    """Server 3 leads, logs what the stopped others never see, and all are killed. The others begin a new epoch without it;
    when it returns, what it alone had goes. `goes_on`: the new epoch has transactions by then."""
    def check():
        with Ensemble(kinds) as ensemble:
            elect(ensemble, 3)
            session = ensemble.session(3)
            many(session, "/committed", 20)
            ensemble.wait_equal()
            ensemble.pause(1, 2)
            for number in range(15):
                session.post(CREATE, create_(f"/tail-{number}", b"never acknowledged"))
            log = os.path.join(ensemble[3].data, "version-2")

            def logged():
                data = b"".join(open(os.path.join(log, name), "rb").read() for name in os.listdir(log)
                                if name.startswith("log."))
                return b"/tail-14" in data
            wait_until(logged, "the tail is in the leader's log", PATIENCE)
            session.reminds_after = None
            session.socket.settimeout(0.2)
            expect(not session.input, "an answer without a quorum")
            try:
                expect(False, f"a write that no quorum has was answered: {session.reply()}")
            except (TimeoutError, Closed):
                pass
            session.close()
            # Killed as they stand, so that what waits for them in the kernel is never read.
            ensemble.kill(3, 1, 2)
            expect(ensemble.start(1, 2) in (1, 2), "nobody leads the new epoch")
            if goes_on:
                session = ensemble.session(1)
                many(session, "/went-on", 10)
                session.close_session()
            mark = ensemble.mark(3)
            ensemble.start(3)
            # Across an epoch with transactions no log can be cut, so the whole tree goes over.
            expect_equal(ensemble.method(3, mark), "SNAP" if goes_on else "TRUNC",
                         f"how server 3 lost its tail{ensemble.tails()}")
            ensemble.wait_equal()
            for id_, tree in ensemble.trees().items():
                expect(not [path for path in tree if path.startswith("/tail")], f"server {id_} has the tail")
                expect_equal(len([path for path in tree if path.startswith("/committed/")]), 20, "committed nodes")
            session = ensemble.session(3)
            many(session, "/afterwards", 20)
            session.close_session()
            ensemble.agree()
            # What is on its disk is right as well.
            ensemble.kill(1, 2, 3)
            ensemble.start()
            ensemble.agree()
    return check


def check_expiry():
    took = []
    for kinds in ("ccc", "cca", "aac"):
        with Ensemble(kinds, settings={"tickTime": "500"}) as ensemble:
            elect(ensemble, 3)
            took.append(expiring(ensemble, "/expiring"))
    return "sessions of 4 s ended after " + ", ".join(f"{one:.1f} s" for one in took)


def observers(kinds, leader):
    """Three voters and two observers, one of each kind."""
    def check():
        with Ensemble(kinds + "ca", observers=2, settings={"snapshotSizeFactor": "-1"}) as ensemble:
            elect_voters(ensemble, leader)
            expect_equal([ensemble.role(id_) for id_ in (4, 5)], ["observer", "observer"], "roles")
            everyday(ensemble, "/everyday")
            moving(ensemble, "/moving")
            # Both miss a little, then much.
            for count, method in ((30, "DIFF"), (FAR_BEHIND, "SNAP")):
                ensemble.kill(4, 5)
                session = ensemble.session(leader)
                many(session, f"/missed-{count}", count)
                marks = {id_: ensemble.mark(id_) for id_ in (4, 5)}
                ensemble.start(4, 5)
                expect_equal({id_: ensemble.method(id_, mark) for id_, mark in marks.items()}, {4: method, 5: method},
                             f"how the observers caught up{ensemble.tails()}")
                session.close_session()
                ensemble.agree()
            # They have no vote: with two voters gone nothing is written, whoever is left.
            ensemble.kill(leader)
            ensemble.wait_leader(*[id_ for id_ in ensemble.voters if id_ != leader])
            ensemble.wait_serving(*[id_ for id_ in ensemble.ids if id_ != leader])
            session = ensemble.session(5)
            expect_equal(session.ask(CREATE, create_("/through-observer"))[0], 0, "a write through an observer")
            session.close()
            follower = next(id_ for id_ in ensemble.voters if ensemble.role(id_) == "follower")
            ensemble.kill(follower)
            wait_until(lambda: not any(ensemble.role(id_) for id_ in ensemble.running), "nobody serves", PATIENCE)
            ensemble.launch(leader, follower)
            ensemble.wait_serving()
            ensemble.agree()
    return check


def elect_voters(ensemble, wanted):
    order = {3: (1, 3, 2), 2: (1, 2, 3)}[wanted]
    ensemble.start(*order[:2])
    ensemble.start(order[2], 4, 5)
    ensemble.wait_serving()
    expect_equal(ensemble.leader(), wanted, "the leader")


#: Those that always run: every mix once, each kind as the leader of every number of the other, and every way of deciding
#: who leads.
SHORT = (("ccc", 3), ("cac", 3), ("cca", 3), ("acc", 1), ("aca", 2), ("caa", 1), ("aac", 2))
MIXES = [(first + second + third, leader) for first in "ca" for second in "ca" for third in "ca" for leader in (3, 2, 1)
         if first + second + third != "aaa"]


def describe(kinds, leader):
    names = {"c": "ours", "a": "Apache's"}
    rest = sorted(kinds[:leader - 1] + kinds[leader:], reverse=True)
    reason = {3: "by its id", 2: "as the second to start", 1: "by what it has"}[leader]
    return f"{names[kinds[leader - 1]]} leads, {reason}, {names[rest[0]]} and {names[rest[1]]} follow: all that happens"


def all_mixes():
    return [(f"quorum-mix-{kinds}-{leader}", describe(kinds, leader), mix(kinds, leader)) for kinds, leader in MIXES]


TAILS = [(f"quorum-tail-{kinds}{'-on' if goes_on else ''}",
          "a leader's last writes that nobody else has go when it returns" +
          (", also when the others have gone on" if goes_on else ""), tail(kinds, goes_on))
         for kinds in ("ccc", "aca", "cac", "cca", "aac") for goes_on in (False, True)]
SHORT_NAMES = {f"quorum-mix-{kinds}-{leader}" for kinds, leader in SHORT} | {
    "quorum-tail-ccc", "quorum-tail-aca", "quorum-tail-cac-on"}
EVERY = all_mixes() + TAILS + [
    ("quorum-expiry", "sessions end in time at every server, whoever leads", check_expiry),
    ("quorum-observers-c", "observers of both kinds, ours leads", observers("acc", 3)),
    ("quorum-observers-a", "observers of both kinds, Apache's leads", observers("cac", 2)),
]
CHECKS = [check for check in EVERY if check[0] in SHORT_NAMES | {"quorum-expiry", "quorum-observers-c"}]
LONG_CHECKS = [check for check in EVERY if check not in CHECKS]
