"""Semaphores and revocation: `conclave semaphore` and Curator's InterProcessSemaphoreV2 on the same leases, a limit in
Curator's SharedCount, and requests to give up that go both ways.
"""

from .harness import *
from .jute import *
from .locks import SESSION, SHORT_SESSION, Curator, Steady, Tool, on_both

PATH, LIMIT = "/semaphores/one", "/semaphores/limit"


def ours(server, name, *options, **more):
    return Tool(server, PATH, name, "semaphore", *options, **more)


def names(observer, path):
    answer = observer.ask(GET_CHILDREN, path_watch_(path))[1]
    return list(answer[0]) if answer else []


def leases(observer):
    return names(observer, PATH + "/leases")


def waits(observer, one, before):
    """`one` stands in the queue, or holds its place there with a lease of its own that does not count yet (Curator)."""
    wait_until(lambda: len(names(observer, PATH + "/locks")) > before, f"{one.kind} is in the queue; {one.told()}")
    expect(not one.held(), f"{one.kind} got a lease that is not there: {leases(observer)}")


def close(participants):
    for one in participants:
        if hasattr(one, "speaker"):
            one.speaker.end()


def fixed(server, observer):
    """Two leases for four: each kind waits for the other's and gets what the other gives back, or leaves by dying."""
    fixed_limit = ("--limit", "2")
    rounds = 0
    for kinds in ((0, 1, 0, 1), (1, 0, 1, 0)):
        session = [SESSION, SHORT_SESSION, SESSION, SESSION]
        members = [ours(server, f"m{n}", *fixed_limit, session=session[n]) if kind == 0 else
                   Curator(server, PATH, f"m{n}", "semaphore:2", session=session[n]) for n, kind in enumerate(kinds)]
        try:
            for member in members[:2]:
                member.acquire()
                member.wait_held()
            expect_equal(len(leases(observer)), 2, "leases that are out")
            for place, member in enumerate(members[2:]):
                member.acquire()
                waits(observer, member, place)
            members[0].release()
            members[2].wait_held()
            expect(not members[3].held(), "three leases of two are out")
            members[1].kill()
            members[3].wait_held()
            for member in members[2:]:
                member.release()
            wait_until(lambda: not leases(observer) and not names(observer, PATH + "/locks"), "nothing left", 30)
            rounds += 1
        finally:
            close(members)
    return f"{rounds} rounds with two leases"


def changing(server, observer):
    """A limit in a SharedCount: raised by Curator ours gets in, raised by ours Curator gets in."""
    node = ("--limit-node", LIMIT)
    kind = "semaphore@" + LIMIT
    first, second = Curator(server, PATH, "c1", kind), Curator(server, PATH, "c2", kind)
    tool = ours(server, "t1", *node)
    raiser = ours(server, "t2", *node, "--limit", "3", "--set-limit")
    try:
        first.acquire()
        first.wait_held()
        tool.acquire()
        waits(observer, tool, 0)
        first.speaker.order("limit c1 2")
        tool.wait_held()
        second.acquire()
        waits(observer, second, 0)
        # It raises the limit for the one that waits, and then waits itself.
        raiser.acquire()
        second.wait_held()
        expect_equal(observer.ask(GET_DATA, path_watch_(LIMIT))[1][0], bytes([0, 0, 0, 3]), "the limit's bytes")
        expect(not raiser.held(), "four leases of three are out")
        tool.release()
        raiser.wait_held()
        for one in (first, second, raiser):
            one.release()
    finally:
        close([first, second, tool, raiser])
    return "raised by either, seen by both"


def revocation(server, observer):
    path = "/semaphores/revocable"
    tool = Tool(server, path, "t", "lock", "--revocable")
    asker = Curator(server, path, "a", "mutex")
    holder = Curator(server, path, "h", "revocable")
    try:
        tool.acquire()
        tool.wait_held()
        own, = names(observer, path)
        asker.speaker.order(f"revoke a {path}/{own}")
        expect_equal(tool.speaker.process.wait(30), 6, "the status of a command whose lock was asked for")
        holder.acquire()
        holder.wait_held()
        run = command([conclave_tool(), "revoke", path, "--server", server.hosts])
        expect_equal(run.returncode, 0, "status of conclave revoke: " + run.stderr)
        holder.speaker.expect_line("revoked h")
        holder.release()
    finally:
        close([tool, asker, holder])
    return "asked by either, heard by both"


def command(arguments):
    import subprocess
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


def prepared(body):
    def run(server, observer):
        observer.ask(CREATE, create_("/semaphores"))
        return body(server, observer)
    on_servers = on_both(run)

    def check():
        from . import harness
        if harness.proving:
            raise Skipped("half of it is our tool")
        return on_servers()
    return check


CHECKS = [
    ("semaphore-curator", "Curator's semaphore and ours share leases and wait for each other", prepared(fixed)),
    ("semaphore-limit", "a limit in a SharedCount is changed by either and seen by both", prepared(changing)),
    ("revocation", "requests to give up a lock, Curator's and ours", prepared(revocation)),
]
