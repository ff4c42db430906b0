"""Mutual exclusion between kinds of clients: `conclave lock`, Curator's locks and kazoo's, on both servers.

"Waits" is never concluded from time that passed: the waiting contender's node is there and it watches the holder's.
"""

import subprocess
import sys
import threading

from .harness import *
from .jute import *

#: Milliseconds. Those that are killed have short sessions, for their nodes stay as long; the others' are the server's longest.
SESSION, SHORT_SESSION = 6000, 3000
_classes = None


def curator_classes():
    """Compiles the Java side once."""
    global _classes
    if _classes is None or not os.path.isdir(_classes):
        folder = temporary_folder()
        source = os.path.join(ROOT, "Tests", "Interop", "java", "Holder.java")
        result = subprocess.run(["javac", "-nowarn", "-cp", CURATOR_CLASSES, "-d", folder, source],
                                capture_output=True, timeout=120)
        expect(result.returncode == 0, f"javac: {result.stderr.decode()[-2000:]}")
        _classes = folder
    return f"{_classes}:{CURATOR_CLASSES}"


class Speaker:
    """A process that takes orders on standard input and tells what happened on standard output."""

    def __init__(self, arguments, **options):
        self.process = spawn(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True, **options)
        self.lines, self.errors, self.grown = [], [], threading.Condition()
        threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True).start()
        threading.Thread(target=self._read, args=(self.process.stderr, self.errors), daemon=True).start()

    def _read(self, stream, lines):
        for line in stream:
            with self.grown:
                lines.append(line.strip())
                self.grown.notify_all()

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def has(self, line):
        with self.grown:
            return line in self.lines

    def expect_line(self, line, seconds=30):
        with self.grown:
            found = self.grown.wait_for(
                lambda: line in self.lines or any(one.startswith("failed") for one in self.lines), seconds)
        expect(found and line in self.lines, f"no “{line}”; said {self.lines[-3:]}, {self.errors[-5:]}")

    def end(self):
        end_process(self.process)


class Participant:
    """One contender. `acquire` only begins to; `held` tells whether it holds."""

    def __init__(self, server, path, name, session=SESSION):
        self.server, self.path, self.name, self.session = server, path, name, session

    def wait_held(self, seconds=30):
        wait_until(self.held, f"{self.kind} holds {self.path}; {self.told()}", seconds)

    def told(self):
        return f"said {self.speaker.lines[-3:]} {self.speaker.errors[-3:]}"


class Tool(Participant):
    """`conclave lock` or `conclave elect`; its command says that it runs and ends when its input does."""

    def __init__(self, server, path, name, verb="lock", *options, session=SESSION):
        super().__init__(server, path, name, session)
        self.kind = "conclave " + " ".join((verb,) + options)
        self.arguments = [conclave_tool(), verb, path, "--server", server.hosts, "--session-timeout",
                          f"{session}ms", "--quiet", *options, "--", "sh", "-c", "echo held; cat >/dev/null"]

    def acquire(self):
        self.speaker = Speaker(self.arguments)

    def held(self):
        if self.speaker.process.poll() is not None and not self.speaker.has("held"):
            raise Failure(f"{self.kind} ended with {self.speaker.process.returncode}: {self.speaker.errors[-5:]}")
        return self.speaker.has("held")

    def release(self):
        self.speaker.process.stdin.close()
        status = self.speaker.process.wait(30)
        expect(status == 0, f"{self.kind} ended with {status}: {self.speaker.errors[-5:]}")

    def kill(self):
        self.speaker.end()


class Spoken(Participant):
    """A contender inside a Java or Python process."""

    def __init__(self, server, path, name, kind, session=SESSION):
        super().__init__(server, path, name, session)
        self.kind = f"{self.family} {kind}"
        self.speaker = Speaker(self.command(server))
        self.speaker.order(f"open {name} {kind} {path}")
        self.speaker.expect_line(f"open {name}")

    def acquire(self):
        self.speaker.order(f"acquire {self.name}")

    def held(self):
        with self.speaker.grown:
            failed = [line for line in self.speaker.lines if line.startswith("failed")]
        expect(not failed, f"{self.kind}: {failed}")
        return self.speaker.has(f"held {self.name}")

    def release(self):
        self.speaker.order(f"release {self.name}")
        self.speaker.expect_line(f"released {self.name}")

    def kill(self):
        self.speaker.end()


class Curator(Spoken):
    family = "Curator"

    def command(self, server):
        return ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
                "-cp", curator_classes(), "Holder", server.hosts, str(self.session)]


class Kazoo(Spoken):
    family = "kazoo"

    def command(self, server):
        return [sys.executable, os.path.join(os.path.dirname(__file__), "kazoo_holder.py"), server.hosts, str(self.session)]


def _proving():
    from . import harness
    return harness.proving


def maker(family, *kind):
    return lambda server, path, name, **options: family(server, path, name, *kind, **options)


def conclave(stand_in, *words):
    """Our tool; while the checks are proved without it, a second Curator client plays its part."""
    return lambda *place, **options: maker(*((Curator, stand_in) if _proving() else (Tool, *words)))(*place, **options)


conclave_lock = conclave("mutex")
conclave_shared = conclave("read", "lock", "--shared")
conclave_writer = conclave("write", "lock", "--exclusive")
conclave_elect = conclave("latch", "elect")


def watched_paths(server):
    return [line for line in (word(server.port, "wchp") or "").splitlines() if line.startswith("/")]


def excludes(server, observer, path, first, second, ending):
    """`first` holds, `second` waits for it, and holds once `first` releases or is killed."""
    holder = first(server, path, "one", session=SESSION if ending == "release" else SHORT_SESSION)
    waiter = second(server, path, "two")
    try:
        holder.acquire()
        holder.wait_held()
        names, = observer.ask(GET_CHILDREN, path_watch_(path))[1]
        expect_timely(names, f"{holder.kind} holds and has no node, unless its session has ended; {holder.told()}")
        expect(len(names) == 1, f"{holder.kind} holds with nodes {names}")
        own = path + "/" + names[0]
        waiter.acquire()
        wait_until(lambda: own in watched_paths(server) or path in watched_paths(server) and
                   len(observer.ask(GET_CHILDREN, path_watch_(path))[1][0]) == 2,
                   f"{waiter.kind} waits for {holder.kind}; {waiter.told()}")
        expect(not waiter.held(), f"{waiter.kind} holds although {holder.kind} does: {names}")
        if ending == "release":
            holder.release()
        else:
            holder.kill()
        waiter.wait_held()
        waiter.release()
        wait_until(lambda: observer.ask(GET_CHILDREN, path_watch_(path))[1] in (([],), ()), f"nothing left at {path}", 30)
    finally:
        for one in (holder, waiter):
            if hasattr(one, "speaker"):
                one.speaker.end()


def shares(server, observer, path, first, second, third):
    """Two readers hold together, the writer waits for both."""
    readers = [first(server, path, "r1"), second(server, path, "r2")]
    writer = third(server, path, "w")
    try:
        for reader in readers:
            reader.acquire()
            reader.wait_held()
        writer.acquire()
        wait_until(lambda: len(observer.ask(GET_CHILDREN, path_watch_(path))[1][0]) == 3, "the writer's node is there")
        wait_until(lambda: any(one.startswith(path) for one in watched_paths(server)), "the writer waits")
        expect(not writer.held(), f"{writer.kind} holds beside readers")
        readers[0].release()
        wait_until(lambda: len(observer.ask(GET_CHILDREN, path_watch_(path))[1][0]) == 2, "one reader left")
        wait_until(lambda: any(one.startswith(path) for one in watched_paths(server)), "the writer waits on")
        expect(not writer.held(), f"{writer.kind} holds beside a reader")
        readers[1].release()
        writer.wait_held()
        writer.release()
    finally:
        for one in readers + [writer]:
            if hasattr(one, "speaker"):
                one.speaker.end()


def on_both(body):
    def run():
        results = []
        for make in (Ours, Apache):
            with make(settings={"tickTime": "300"}) as server:
                observer = open_session(server.port, timeout=6000, super_user=True)
                for path in ("/locks",):
                    observer.ask(CREATE, create_(path))
                try:
                    results.append(body(server, Steady(observer)))
                except Failure as failure:
                    raise Failure(f"on {server.kind}: {failure}")
        return results[0]
    return run


class Steady:
    """An observer that opens a session for each question, so that none of them can expire in between."""

    def __init__(self, connection):
        self.port = connection.socket.getpeername()[1]
        connection.close_session()

    def ask(self, operation, body):
        connection = open_session(self.port, timeout=6000)
        try:
            return connection.ask(operation, body)
        finally:
            connection.close_session()


def pairs(others, ours):
    def body(server, observer):
        done = 0
        # Curator cannot read kazoo's own node names, so it cannot play our part against them.
        for other in others[:1] if _proving() else others:
            for first, second in ((ours, other), (other, ours)):
                for ending in ("release", "kill"):
                    excludes(server, observer, f"/locks/{done}", first, second, ending)
                    done += 1
        return f"{done} encounters on each server"
    return on_both(body)


def read_write(server, observer):
    curator_read, curator_write = maker(Curator, "read"), maker(Curator, "write")
    done = 0
    for first, second in ((conclave_shared, curator_write), (curator_write, conclave_shared),
                          (conclave_writer, curator_read), (curator_read, conclave_writer)):
        excludes(server, observer, f"/locks/rw{done}", first, second, "release")
        done += 1
    shares(server, observer, "/locks/shared1", conclave_shared, curator_read, curator_write)
    shares(server, observer, "/locks/shared2", curator_read, conclave_shared, conclave_writer)
    if not _proving():
        shares(server, observer, "/locks/shared3", conclave_shared, maker(Kazoo, "read"), maker(Kazoo, "write"))
        shares(server, observer, "/locks/shared4", maker(Kazoo, "read"), conclave_shared, conclave_writer)
    return "exclusion and sharing"


def contention(server, observer):
    """All three kinds add to one number in a file, guarded by nothing but the lock."""
    folder = temporary_folder()
    counter, tokens = os.path.join(folder, "counter"), os.path.join(folder, "tokens")
    with open(counter, "w") as file:
        file.write("0\n")
    open(tokens, "w").close()
    times, path = 15, "/locks/contended"
    speakers = [maker(Curator, "mutex")(server, path, f"c{n}") for n in range(2)]
    speakers += [maker(Kazoo, "curator")(server, path, f"k{n}") for n in range(2)]
    script = f'n=$(cat {counter}); echo $((n + 1)) > {counter}; echo $CONCLAVE_FENCING_TOKEN >> {tokens}'
    total = times * len(speakers)
    failures = []

    def run_tool():
        for _ in range(times):
            process = spawn([conclave_tool(), "lock", path, "--server", server.hosts, "--quiet", "--", "sh", "-c", script],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
            _, errors = process.communicate(timeout=120)
            if process.returncode:
                failures.append(errors.decode()[-500:])
                return
    threads = [] if _proving() else [threading.Thread(target=run_tool, daemon=True) for _ in range(2)]
    total += times * len(threads)
    for thread in threads:
        thread.start()
    for one in speakers:
        one.speaker.order(f"count {one.name} {counter} {times}")
    for one in speakers:
        one.speaker.expect_line(f"counted {one.name}", 120)
    for thread in threads:
        thread.join(120)
    expect(not failures, f"conclave lock: {failures}")
    with open(counter) as file:
        expect_equal(int(file.read()), total, "the number counted under the lock")
    with open(tokens) as file:
        given = [int(line) for line in file]
    expect(given == sorted(set(given)) and len(given) == times * len(threads), f"fencing tokens grow: {given}")
    for one in speakers:
        one.speaker.end()
    return f"counted to {total}"


CHECKS = [
    ("locks-curator", "Curator's mutex and ours exclude each other, both orders, release and kill",
     pairs([maker(Curator, "mutex")], conclave_lock)),
    ("locks-kazoo", "kazoo's lock and ours exclude each other, both orders, release and kill",
     pairs([maker(Kazoo, "curator"), maker(Kazoo, "lock")], conclave_lock)),
    ("locks-latch", "Curator's leader latch and `conclave elect` exclude each other",
     pairs([maker(Curator, "latch")], conclave_elect)),
    ("locks-shared", "read/write locks of Curator, kazoo and ours share and exclude", on_both(read_write)),
    ("locks-contention", "three kinds count under one lock and lose nothing", on_both(contention)),
]
