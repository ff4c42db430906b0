"""Counters, shared counts and services together with Curator and kazoo, both ways, on both servers."""

import json
import subprocess
import threading

from .harness import *
from .locks import Speaker, _proving, on_both

CLASSES = CURATOR_CLASSES + "".join(
    f":{JAVA_JARS}/{name}.jar"
    for name in ("curator-x-discovery", "jackson-core", "jackson-databind", "jackson-annotations"))
SESSION = 5000
_classes = None


def naming_classes():
    """Compiles the Java side once."""
    global _classes
    if _classes is None or not os.path.isdir(_classes):
        folder = temporary_folder()
        source = os.path.join(ROOT, "Tests", "Interop", "java", "Naming.java")
        result = subprocess.run(["javac", "-nowarn", "-cp", CLASSES, "-d", folder, source], capture_output=True,
                                timeout=120)
        expect(result.returncode == 0, f"javac: {result.stderr.decode()[-2000:]}")
        _classes = folder
    return f"{_classes}:{CLASSES}"


def curator(server):
    speaker = Speaker(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                       "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-cp", naming_classes(), "Naming", server.hosts,
                       str(SESSION)])
    speaker.expect_line("ready", 60)
    return speaker


def tool(server, *words):
    """The output of one command of ours."""
    result = subprocess.run([conclave_tool(), *words, "--server", server.hosts], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=60)
    expect(result.returncode == 0, f"conclave {' '.join(words)}: {result.returncode} {result.stderr[-500:]}")
    return result.stdout.strip()


def skip_without_tool():
    if _proving():
        raise Skipped("needs the tool")


def counters(server, observer):
    """One number that three kinds of clients count up at once; kazoo's has 4 bytes, and Curator's 8 where it may."""
    skip_without_tool()
    from kazoo.client import KazooClient
    times, failures = 20, []
    small = "/counters/small"
    speaker = curator(server)
    kazoo = KazooClient(server.hosts, timeout=SESSION / 1000)
    kazoo.start()

    def ours():
        try:
            for _ in range(times):
                tool(server, "counter", "add", "/counters/all")
                tool(server, "counter", "add", small)
        except Exception as problem:
            failures.append(problem)

    def kazoos():
        # kazoo's own counter reads and writes text unless it is told to be Curator's twin, who has 4 bytes then.
        counter = kazoo.Counter(small, support_curator=True)
        try:
            for _ in range(times):
                kazoo.retry(lambda: counter.__add__(1))
        except Exception as problem:
            failures.append(problem)
    try:
        expect_equal(tool(server, "counter", "add", "/counters/all", "5"), "5", "the first addition")
        speaker.order(f"count {small} 0")
        speaker.expect_line("counted 0")
        threads = [threading.Thread(target=one, daemon=True) for one in (ours, kazoos)]
        for thread in threads:
            thread.start()
        speaker.order(f"add /counters/all {times}")
        for thread in threads:
            thread.join(120)
        expect(not failures, f"counting: {failures}")
        ends = ("added", "failed")
        wait_until(lambda: any(line.startswith(ends) for line in speaker.lines), "Curator has counted", 120)
        expect(not any(line.startswith("failed") for line in speaker.lines), f"Curator: {speaker.lines}")
        expect_equal(tool(server, "counter", "get", "/counters/all"), str(5 + 2 * times), "what we and Curator counted")
        expect_equal(tool(server, "counter", "get", small), str(2 * times), "what we and kazoo counted")
        speaker.order("add /counters/below 1")
        speaker.expect_line("added 1")
        expect_equal(tool(server, "counter", "compare", "/counters/below", "1", "-7"), "-7", "Curator's counter")
        speaker.order("add /counters/below 1")
        speaker.expect_line("added -6")
        speaker.order("count /counts/shared 77")
        speaker.expect_line("counted 77")
        expect_equal(kazoo.get("/counts/shared")[0], b"\0\0\0\x4d", "Curator's shared count")
    finally:
        kazoo.stop()
        kazoo.close()
        speaker.end()
    return f"counted to {5 + 2 * times} and {2 * times}"


def services(server, observer):
    """Instances of either side are found by the other."""
    skip_without_tool()
    speaker = curator(server)
    registering = Speaker([conclave_tool(), "services", "register", "orders", "10.0.0.7:8080", "--id", "swift",
                           "--meta", "zone=swift", "--server", server.hosts, "--session-timeout", f"{SESSION}ms"])
    try:
        registering.expect_line("registered /services/orders/swift")
        speaker.order("register /services orders java 9090")
        speaker.expect_line("registered java")
        found = [json.loads(line) for line in tool(server, "services", "list", "orders", "--json").splitlines()]
        members = [(one["id"], one["address"], one["port"], one["enabled"], one["metadata"]["zone"]) for one in found]
        expect_equal(members, [("java", "10.0.0.8", 9090, True, "java"), ("swift", "10.0.0.7", 8080, True, "swift")],
                     "what we find")
        speaker.order("query /services orders")
        speaker.expect_line("queried 2")
        for line in ("found swift 10.0.0.7:8080 {zone=swift}", "found java 10.0.0.8:9090 {zone=java}"):
            expect(line in speaker.lines, f"Curator finds {line}; said {speaker.lines}")
        registering.process.send_signal(signal.SIGTERM)
        wait_until(lambda: registering.process.poll() is not None, "our instance ends")
        speaker.order("query /services orders")
        speaker.expect_line("queried 1")
        expect_equal(tool(server, "services", "pick", "orders"), "10.0.0.8:9090", "our pick")
    finally:
        registering.end()
        speaker.end()
    return "each finds the other"


CHECKS = [
    ("counters", "one counter of ours, Curator's and kazoo's; Curator's shared count", on_both(counters)),
    ("services", "Curator's service discovery finds ours and we find its", on_both(services)),
]
