"""Queues and barriers shared with Curator, kazoo and the queue that comes with ZooKeeper, on both servers.

The orders for the Java side are those of java/Gatherer.java; kazoo runs in this process.
"""

import contextlib
import threading

from .harness import *
from .locks import Speaker

SESSION = 6000
GATHERER_CLASSES = f"{CURATOR_CLASSES}:{JAVA_JARS}/zookeeper-recipes-queue.jar"
_classes = None


def _gatherer_classes():
    """Compiles the Java side once."""
    global _classes
    if _classes is None or not os.path.isdir(_classes):
        folder = temporary_folder()
        source = os.path.join(ROOT, "Tests", "Interop", "java", "Gatherer.java")
        result = subprocess.run(["javac", "-nowarn", "-cp", GATHERER_CLASSES, "-d", folder, source],
                                capture_output=True, timeout=120)
        expect(result.returncode == 0, f"javac: {result.stderr.decode()[-2000:]}")
        _classes = folder
    return f"{_classes}:{GATHERER_CLASSES}"


class Curator:
    """A Java process with one session."""

    def __init__(self, server):
        self.speaker = Speaker(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                                "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", _gatherer_classes(), "Gatherer",
                                server.hosts, str(SESSION)])
        self.speaker.expect_line("ready")

    def put(self, kind, path, *items, number=0):
        self.speaker.order(f"put {kind} {path} {number} {' '.join(items)}")
        self.speaker.expect_line(f"put {path}")
        with self.speaker.grown:
            self.speaker.lines.remove(f"put {path}")

    def take(self, kind, path, count):
        self.speaker.order(f"take {kind} {path} {count}")
        self.speaker.expect_line(f"taken {path}")
        with self.speaker.grown:
            took = [line[5:] for line in self.speaker.lines if line.startswith("took ")]
            self.speaker.lines[:] = [line for line in self.speaker.lines if not line.startswith(("took ", "taken "))]
        return took


@contextlib.contextmanager
def kazoo_client(server):
    from kazoo.client import KazooClient
    client = KazooClient(hosts=server.hosts, timeout=SESSION / 1000)
    client.start(20)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def tool(server, *words, status=0):
    """Runs a command of the tool to its end."""
    words = [conclave_tool(), *words[:2], "--server", server.hosts, *words[2:]]
    process = spawn(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    output, errors = process.communicate(timeout=60)
    expect_equal(process.returncode, status, f"{' '.join(words[1:])}: {errors}")
    return output.splitlines()


def on_both(body):
    def run():
        if _proving():
            raise Skipped("judges our tool, which is not there while the checks are proved")
        for make in (Ours, Apache):
            with make() as server:
                try:
                    result = body(server)
                except Failure as failure:
                    raise Failure(f"on {server.kind}: {failure}")
        return result
    return run


def _proving():
    from . import harness
    return harness.proving


def queues(server):
    """What one puts the other takes, in the order of arrival, of priority, of time."""
    from kazoo.recipe.queue import Queue
    curator = Curator(server)
    with kazoo_client(server) as client:
        # First in, first out: each of the four takes what all of them have put.
        tool(server, "queue", "put", "/own", "a", "b")
        curator.put("zookeeper", "/own", "c")
        expect_equal(curator.take("zookeeper", "/own", 2), ["a", "b"], "ZooKeeper's queue takes ours")
        expect_equal(tool(server, "queue", "take", "/own"), ["c"], "we take what ZooKeeper's queue has put")

        tool(server, "queue", "put", "/curators", "--layout", "curator", "a", "b")
        expect_equal(curator.take("fifo", "/curators", 2), ["a", "b"], "Curator's queue takes ours")
        curator.put("fifo", "/curators", "c", "d", "é")
        expect_equal(tool(server, "queue", "take", "/curators", "--count", "3"), ["c", "d", "é"], "we take Curator's")

        tool(server, "queue", "put", "/kazoos", "--layout", "kazoo", "a", "b")
        queue = Queue(client, "/kazoos")
        expect_equal([queue.get(), queue.get()], [b"a", b"b"], "kazoo's queue takes ours")
        for item in (b"c", b"d"):
            queue.put(item)
        expect_equal(tool(server, "queue", "take", "/kazoos", "--count", "2"), ["c", "d"], "we take kazoo's")

        # Everybody into one: the counter of the parent orders them all.
        curator.put("fifo", "/mixed", "1")
        Queue(client, "/mixed").put(b"2")
        tool(server, "queue", "put", "/mixed", "3")
        curator.put("zookeeper", "/mixed", "4")
        expect_equal(tool(server, "queue", "take", "/mixed", "--count", "4"), ["1", "2", "3", "4"], "a mixed queue")

        # Priorities.
        for item, priority in (("low", 9), ("high", -3)):
            curator.put("priority", "/urgent", item, number=priority)
        tool(server, "queue", "put", "/urgent", "middle", "--priority", "2")
        tool(server, "queue", "put", "/urgent", "first", "--priority", "-7")
        expect_equal(tool(server, "queue", "take", "/urgent", "--form", "priority", "--count", "2"), ["first", "high"],
                     "we take the most urgent of Curator's and ours")
        expect_equal(curator.take("priority", "/urgent", 2), ["middle", "low"], "and Curator the rest")
        queue = Queue(client, "/kazoo-urgent")
        queue.put(b"b", priority=700)
        queue.put(b"a", priority=3)
        tool(server, "queue", "put", "/kazoo-urgent", "between", "--priority", "50", "--layout", "kazoo")
        expect_equal(tool(server, "queue", "take", "/kazoo-urgent", "--form", "priority", "--count", "2"),
                     ["a", "between"], "we take the most urgent of kazoo's and ours")
        expect_equal(queue.get(), b"b", "and kazoo the rest")

        # Delays.
        curator.put("delay", "/later", "far", number=3_600_000)
        curator.put("delay", "/later", "near", number=0)
        expect_equal(tool(server, "queue", "take", "/later", "--form", "delay"), ["near"], "what is due of Curator's")
        tool(server, "queue", "take", "/later", "--form", "delay", "--try", status=4)
        tool(server, "queue", "put", "/later", "ours", "--delay", "100ms")
        expect_equal(curator.take("delay", "/later", 1), ["ours"], "Curator takes ours when it is due")
    curator.speaker.end()
    return "five layouts, three orders, both ways"


def gates(server):
    """Whoever closes and opens, everybody waits and passes."""
    from kazoo.recipe.barrier import Barrier
    curator = Curator(server)
    with kazoo_client(server) as client:
        for number, (close, open_) in enumerate((
                (lambda path: tool(server, "barrier", "close", path), lambda path: curator.speaker.order("open " + path)),
                (lambda path: (curator.speaker.order("close " + path), curator.speaker.expect_line("closed " + path)),
                 lambda path: Barrier(client, path).remove()),
                (lambda path: Barrier(client, path).create(), lambda path: tool(server, "barrier", "open", path)))):
            path = f"/gate{number}"
            close(path)
            tool(server, "barrier", "pass", path, "--timeout", "50ms", status=4)
            expect(not Barrier(client, path).wait(0.05), "kazoo passes a closed gate")
            ours = Speaker([conclave_tool(), "barrier", "pass", path, "--server", server.hosts])
            curator.speaker.order("pass " + path)
            wait_until(lambda: word(server.port, "wchp").count("0x") >= 2, "both wait at the gate")
            expect(not curator.speaker.has("passed " + path), "Curator passes a closed gate")
            open_(path)
            curator.speaker.expect_line("passed " + path)
            expect_equal(ours.process.wait(30), 0, f"our pass: {ours.errors}")
            expect(Barrier(client, path).wait(20), "kazoo passes an open gate")
    curator.speaker.end()
    return "three who close and open, three who pass"


def double_barriers(server):
    """Members of all kinds enter together and leave together."""
    from kazoo.recipe.barrier import DoubleBarrier
    curator = Curator(server)
    with kazoo_client(server) as client:
        def members(path):
            return [one for one in client.get_children(path) if one != "ready"] if client.exists(path) else []

        for number, kinds in enumerate(("OC", "CO", "OCO", "OK", "KO", "COK")):
            path, count = f"/double{number}", len(kinds)
            ours, threads, left = [], [], []
            for place, kind in enumerate(kinds):
                name = f"{number}-{place}"
                if kind == "O":
                    ours.append(Speaker([conclave_tool(), "barrier", "together", path, "--count", str(count), "--server",
                                         server.hosts, "--", "sh", "-c", "echo in; cat >/dev/null; echo out"]))
                elif kind == "C":
                    curator.speaker.order(f"together {name} {path} {count}")
                else:
                    barrier = DoubleBarrier(client, path, count)
                    entered, leave = threading.Event(), threading.Event()

                    def take_part():
                        barrier.enter()
                        entered.set()
                        leave.wait(60)
                        barrier.leave()
                        left.append(name)
                    thread = threading.Thread(target=take_part, daemon=True)
                    thread.start()
                    threads.append((thread, entered, leave))
                if place < count - 1:
                    wait_until(lambda: len(members(path)) == place + 1, f"{place + 1} members of {kinds}")
                    expect(not any(one.has("in") for one in ours) and not curator.speaker.has(f"entered {number}-0"),
                           f"{kinds}: somebody is in with {place + 1} of {count}")
            for one in ours:
                one.expect_line("in")
            for place, kind in enumerate(kinds):
                if kind == "C":
                    curator.speaker.expect_line(f"entered {number}-{place}")
            for _, entered, _ in threads:
                expect(entered.wait(30), f"{kinds}: kazoo's member does not get in")
            for one in ours:
                one.process.stdin.close()
                one.expect_line("out")
            for place, kind in enumerate(kinds):
                if kind == "C":
                    expect(ours[0].process.poll() is None, f"{kinds}: ours is out before Curator's member has left")
                    curator.speaker.order(f"leave {number}-{place}")
            for _, _, leave in threads:
                leave.set()
            for one in ours:
                expect_equal(one.process.wait(30), 0, f"{kinds}: our member: {one.errors}")
            for place, kind in enumerate(kinds):
                if kind == "C":
                    curator.speaker.expect_line(f"left {number}-{place}")
            for thread, _, _ in threads:
                thread.join(30)
                expect(not thread.is_alive(), f"{kinds}: kazoo's member does not get out")
            wait_until(lambda: not client.exists(path) or client.get_children(path) == [], f"nothing left of {kinds}")
    curator.speaker.end()
    return "six mixtures"


CHECKS = [
    ("queues", "what Curator, kazoo, ZooKeeper's queue and ours put the others take", on_both(queues)),
    ("barriers-gate", "gates of Curator, kazoo and ours", on_both(gates)),
    ("barriers-double", "double barriers with members of Curator, kazoo and ours", on_both(double_barriers)),
]
