"""Groups: members of Curator's `GroupMember`, of kazoo's `Party` and of `conclave members` see each other."""

import json

from .harness import *
from .locks import SHORT_SESSION, Speaker

_classes = None


def member_classes():
    """Compiles the Java side once."""
    global _classes
    if _classes is None or not os.path.isdir(_classes):
        folder = temporary_folder()
        source = os.path.join(ROOT, "Tests", "Interop", "java", "Member.java")
        result = subprocess.run(["javac", "-nowarn", "-cp", CURATOR_CLASSES, "-d", folder, source],
                                capture_output=True, timeout=120)
        expect(result.returncode == 0, f"javac: {result.stderr.decode()[-2000:]}")
        _classes = folder
    return f"{_classes}:{CURATOR_CLASSES}"


def curator(server, path, name, payload):
    speaker = Speaker(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off",
                       "-cp", member_classes(), "Member", server.hosts, str(SHORT_SESSION), path, name, payload])
    speaker.expect_line("started")
    return speaker


def tool(server, *words):
    return [conclave_tool(), "members", *words, "--server", server.hosts, "--session-timeout", f"{SHORT_SESSION}ms"]


def joined(server, path, name, *options):
    speaker = Speaker(tool(server, "join", path, name, *options))
    wait_until(lambda: any(line.startswith("joined ") for line in list(speaker.lines)),
               f"{name} joins {path}; {speaker.errors[-3:]}")
    return speaker


def listed(server, path):
    result = subprocess.run(tool(server, "list", path, "--json"), capture_output=True, text=True, timeout=60)
    expect(result.returncode == 0, f"members list: {result.stderr[-500:]}")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    return sorted((one["identity"], one["payload"]) for one in found)


def asked(speaker):
    """What Curator's member sees now."""
    before = len(speaker.lines)
    speaker.order("members")
    wait_until(lambda: len(speaker.lines) > before, f"an answer of Curator's member; {speaker.errors[-3:]}")
    return speaker.lines[-1]


def end_politely(speaker):
    speaker.process.terminate()
    expect_equal(speaker.process.wait(30), 128 + signal.SIGTERM, "the status of `members join` after SIGTERM")


def with_curator(server):
    path = "/groups/curator"
    theirs, ours = curator(server, path, "java", "jvm"), joined(server, path, "swift", "--payload", "native")
    wait_until(lambda: asked(theirs) == "members java=jvm swift=native", "Curator sees both")
    expect_equal(listed(server, path), [("java", "jvm"), ("swift", "native")], "what `members list` prints")
    watcher = Speaker(tool(server, "watch", path))
    watcher.expect_line('joined java "jvm"')
    watcher.expect_line('joined swift "native"')
    end_politely(ours)
    wait_until(lambda: asked(theirs) == "members java=jvm", "Curator sees that ours has left")
    # Killed, so that only the end of its session tells.
    killed = joined(server, path, "killed")
    wait_until(lambda: asked(theirs) == "members java=jvm killed=", "Curator sees the third")
    killed.end()
    wait_until(lambda: asked(theirs) == "members java=jvm", "Curator sees that the third has died", 30)
    theirs.order("leave")
    theirs.expect_line("left")
    watcher.expect_line('left java "jvm"')
    watcher.end()


def with_kazoo(server):
    # Here and not above: a list of the checks needs no kazoo.
    from kazoo.client import KazooClient
    from kazoo.recipe.party import Party, ShallowParty
    path = "/groups/kazoo"
    client = KazooClient(hosts=server.hosts, timeout=SHORT_SESSION / 1000)
    client.start(20)
    try:
        party = Party(client, path, "python")
        party.join()
        ours = joined(server, path, "swift", "--party")
        wait_until(lambda: sorted(party) == ["python", "swift"], "kazoo's party has both")
        expect_equal(len(party), 2, "the length of kazoo's party")
        expect_equal(listed(server, path), [("python", "python"), ("swift", "swift")], "what `members list` prints")
        end_politely(ours)
        wait_until(lambda: sorted(party) == ["python"], "kazoo sees that ours has left")
        shallow = ShallowParty(client, path, "thin")
        shallow.join()
        # A shallow member says all in its name, which is random but for the end.
        wait_until(lambda: any(name.endswith("-thin") for name, _ in listed(server, path)), "ours see the shallow member")
        shallow.leave()
        party.leave()
        expect_equal(listed(server, path), [], "what is left")
    finally:
        client.stop()
        client.close()


def on_both(body):
    def run():
        from . import harness
        if harness.proving:
            raise Skipped("there is nothing of ours to compare")
        for make in (Ours, Apache):
            with make(settings={"tickTime": "300"}) as server:
                try:
                    body(server)
                except Failure as failure:
                    raise Failure(f"on {server.kind}: {failure}")
        return "each sees the others come, stay and go, on each server"
    return run


CHECKS = [
    ("groups-curator", "Curator's GroupMember and `conclave members` see each other", on_both(with_curator)),
    ("groups-kazoo", "kazoo's Party and `conclave members` see each other", on_both(with_kazoo)),
]
