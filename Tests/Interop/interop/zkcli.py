"""zkCli.sh against our server: the same commands to both servers must print the same."""

import re
import subprocess
import threading

from .harness import *

ZKCLI = "/usr/share/zookeeper/bin/zkCli.sh"

COMMANDS = """
ls /
ls -R /
create /a one
create /a two
create /a/b
create /a/b/c deep
create /nothing/x y
create -s /a/seq- s
create -s /a/seq- s
create -e /a/eph e
create -e -s /a/ephseq- e
create -c /a/container
create -t 60000 /a/ttl t
create /a/eph/child x
create /acl "with acl" world:anyone:r
create /digest secret digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=:cdrwa
create /auth x auth::cdrwa
create relative x
create /trailing/ x
create /dou//ble x
get /a
get -s /a
get /none
stat /a
stat /none
ls /a
ls -s /a
ls -R /a
ls /none
set /a changed
get -s /a
set -v 1 /a again
set -v 1 /a wrong
set -s /a more
set /none x
getAcl /a
getAcl -s /acl
getAcl /digest
getAcl /none
get /digest
ls /digest
set /digest x
addauth digest bob:secret
whoami
get /digest
getAcl /digest
set /digest visible
setAcl /digest auth::cdrwa
getAcl /digest
setAcl -v 7 /digest world:anyone:r
setAcl -s /a world:anyone:cdrwa
setAcl -R /a/b world:anyone:cdrwa
setAcl /a nosuch:x:r
getAcl /a/b/c
getEphemerals
getEphemerals /a
getAllChildrenNumber /a
getAllChildrenNumber /
create /q
create /q/one 1
setquota -n 5 /q
listquota /q
setquota -b 100 /q
listquota /q
setquota -N 50 /q
setquota -B 5000 /q
listquota /q
create /q/two 22
get /zookeeper/quota/q/zookeeper_stats
get /zookeeper/quota/q/zookeeper_limits
setquota -n 5 /q/one
delquota -n /q
listquota /q
delquota /q
listquota /q
listquota /a
ls -R /zookeeper
get -w /a
set /a event1
stat -w /later
create /later x
ls -w /a
create /a/new x
delete /a/new
addWatch /persistent
create /persistent x
create /persistent/child x
set /persistent/child y
delete /persistent/child
addWatch -m PERSISTENT /exact
create /exact x
create /exact/child x
removewatches /exact
delete /exact/child
sync /
config
reconfig -remove 3
delete /a
delete -v 99 /later
delete /later
delete /later
deleteall /a
ls -R /
deleteall /q
delete /zookeeper
get /
version
""".strip().splitlines()

EVENTS = 11
END = "no such command at the end"


def normal(line):
    line = re.sub(r"\b(ctime|mtime) = .*", r"\1 = TIME", line)
    line = re.sub(r"ephemeralOwner = 0x[1-9a-f][0-9a-f]*", "ephemeralOwner = SESSION", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "SERVER", line)
    return re.sub(r"^\d{4}-\d\d-\d\d .*? - ", "", line)


def session(server):
    """What one session of zkCli prints: lines (lists sorted), and its watch events."""
    environment = {**os.environ, "SERVER_JVMFLAGS": "", "CLIENT_JVMFLAGS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
                   "JVMFLAGS": "-Duser.timezone=UTC"}
    process = spawn([ZKCLI, "-server", server.hosts], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, env=environment, text=True)
    lines, grown = [], threading.Condition()

    def read():
        for line in process.stdout:
            with grown:
                lines.append(line.rstrip("\n"))
                grown.notify_all()
        with grown:
            lines.append(None)
            grown.notify_all()
    threading.Thread(target=read, daemon=True).start()
    process.stdin.write("\n".join(COMMANDS) + "\n" + END + "\n")
    process.stdin.flush()

    def finished():
        return lines[-1:] == [None] or (any(line and END.split()[0] in line and "ommand" in line for line in lines)
                                        and sum("WatchedEvent" in line for line in lines if line) >= EVENTS)
    with grown:
        if not grown.wait_for(finished, 60):
            raise Failure(f"zkCli against {server.kind} does not finish; last lines: {lines[-5:]}")
    process.stdin.close()
    process.wait(20)
    found, events = [], []
    for line in lines:
        if line is None or line.startswith("SLF4J"):
            continue
        line = normal(line)
        if "WatchedEvent" in line:
            events.append(line)
        elif line not in ("", "WATCHER::"):
            if line.startswith("[") and line.endswith("]"):
                line = "[" + ", ".join(sorted(line[1:-1].split(", "))) + "]"
            found.append(line)
    identities = [at for at, line in enumerate(found) if re.fullmatch(r"(digest|ip): \S+", line)]
    for at, line in zip(identities, sorted(found[at] for at in identities)):
        found[at] = line  # whoami lists them in no order
    return found, events


def check():
    if not os.access(ZKCLI, os.X_OK):
        raise Failure(f"{ZKCLI} is missing")
    results = []
    for make in (Apache, Ours):
        with make(settings={"extendedTypesEnabled": "true"}) as server:
            results.append(session(server))
    apache, ours = results
    expect(len(apache[0]) > 150, f"zkCli printed only {len(apache[0])} lines: {apache[0][-5:]}")
    differences = compared_lines(apache[0], ours[0]) + compared_lines(sorted(apache[1]), sorted(ours[1]))
    if differences:
        raise Failure("zkCli prints other lines than with Apache's server (-), namely (+):\n" + "\n".join(differences))
    return f"{len(COMMANDS)} commands, {len(apache[0])} lines, {len(apache[1])} events"


def compared_lines(apache, ours):
    import difflib
    return [line for line in difflib.unified_diff(apache, ours, lineterm="", n=1)
            if not line.startswith(("---", "+++"))][:60]


CHECKS = [("zkcli", "zkCli.sh against our server prints what it prints against Apache's", check)]
