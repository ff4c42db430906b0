"""Four-letter words: the shape of the answers, what they count, and the whitelist, beside Apache's server."""

import re
import socket

from .harness import *
from .jute import *

WORDS = ("ruok", "srvr", "stat", "mntr", "conf", "cons", "envi", "isro", "wchs", "wchc", "wchp", "dump", "dirs", "crst",
         "srst")

#: Gauges that every server tells (without the prefix zk_).
GAUGES = """version server_state avg_latency max_latency min_latency packets_received packets_sent num_alive_connections
    outstanding_requests uptime znode_count watch_count ephemerals_count approximate_data_size global_sessions
    local_sessions open_file_descriptor_count max_file_descriptor_count connection_drop_probability
    last_client_response_size max_client_response_size min_client_response_size outstanding_tls_handshake
    auth_failed_count non_mtls_remote_conn_count non_mtls_local_conn_count""".split()
#: Metrics that appear with Apache's server only after something happened.
OCCASIONAL = {"digest_mismatches_count", "stale_sessions_expired", "unrecoverable_error_count"}
#: What an environment without a Java machine still has.
ENVIRONMENT = """zookeeper.version host.name os.name os.arch os.version user.name user.home user.dir os.memory.free
    os.memory.max os.memory.total""".split()
JAVA_ONLY = re.compile(r"java\..*")


def shape(line):
    """A line with everything in it that may differ replaced by what kind of thing it is."""
    line = re.sub(r"^Zookeeper version: \S+, built on \S+ \S+ \S+$", "Zookeeper version: VERSION", line)
    line = re.sub(r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d \w+ \d{4}", "DATE", line)
    line = re.sub(r"/127\.0\.0\.1:\d+", "/ADDRESS", line)
    line = re.sub(r"0x[0-9a-f]+", "HEX", line)
    line = re.sub(r"\d+\.\d+", "DECIMAL", line)
    line = re.sub(r"lop=\w+", "lop=OPERATION", line)
    line = re.sub(r"(datadir|logdir)_size", r"\1 size", line)
    line = re.sub(r"(dataDir|dataLogDir)=.*/(\S+)", r"\1=FOLDER/\2", line)
    return re.sub(r"-?\d+", "N", line)


def shapes(text):
    """The kinds of lines in the order in which they first appear, and whether the text ends with a line feed."""
    found = []
    for line in text.split("\n"):
        kind = shape(line)
        # lcxid is left out while there was no request, so a line may come in two forms.
        kind = kind.replace(",lcxid=HEX", "")
        if kind not in found:
            found.append(kind)
    return found


def busy(server):
    """Sessions, ephemerals and watches for the words to tell about; returns the open connections."""
    connections = [open_session(server.port, timeout=30_000) for _ in range(3)]
    first, second, third = connections
    for path in ("/w", "/w/a", "/w/b"):
        first.ask(CREATE, create_(path, b"data"))
    first.ask(CREATE, create_("/w/e1", b"", flags=1))
    second.ask(CREATE, create_("/w/e2", b"", flags=1))
    second.ask(CREATE, create_("/w/e3", b"", flags=1))
    first.ask(GET_DATA, path_watch_("/w/a", True))
    second.ask(GET_DATA, path_watch_("/w/a", True))
    second.ask(EXISTS, path_watch_("/w/none", True))
    third.ask(GET_CHILDREN, path_watch_("/w", True))
    third.ask(ADD_WATCH, string_("/w/b") + int_(1))
    return connections


def labelled(text, connections):
    for index, connection in enumerate(connections):
        text = re.sub(rf"0x{connection.session & (1 << 64) - 1:x}\b", f"SESSION{index}", text)
    return text


def grouped(text):
    """`head` lines with the lines indented below them, both sorted."""
    groups, current = {}, None
    for line in text.splitlines():
        if line.startswith("\t"):
            groups[current].append(line.strip())
        elif line:
            current = line
            groups.setdefault(current, [])
    return {head: sorted(lines) for head, lines in groups.items()}


def metrics(text):
    return dict(line.removeprefix("zk_").split("\t", 1) for line in text.splitlines())


def check_shapes():
    answers = []
    for make in (Apache, Ours):
        with make() as server:
            connections = busy(server)
            answer = {name: word(server.port, name) for name in WORDS[:-2]}
            answer["srvr again"] = word(server.port, "srvr")
            for name in ("crst", "srst"):
                answer[name] = word(server.port, name)
            answer["after srst"] = word(server.port, "srvr")
            answer = {name: labelled(text or "", connections) for name, text in answer.items()}
            for connection in connections:
                connection.close_session()
            # Apache's server lets go of a closed connection's watches a moment later.
            wait_until(lambda: word(server.port, "wchs").startswith("0 connections"), "the watches of closed connections go")
            answer["idle"] = {name: word(server.port, name) for name in ("wchs", "wchc", "wchp", "cons", "dump")}
            answers.append(answer)
    apache, ours = answers
    problems = []

    def same(name, found, wanted):
        if found != wanted:
            problems.append(f"{name}: found {found!r:.900}, expected {wanted!r:.900}")
    for name in ("ruok", "isro", "crst", "srst", "wchs"):
        same(name, ours[name], apache[name])
    for name in ("srvr", "stat", "conf", "cons", "dump", "dirs"):
        # Connections stand in no particular order.
        same(name, sorted(shapes(ours[name])), sorted(shapes(apache[name])))
        same(name + " line feed at the end", ours[name].endswith("\n"), apache[name].endswith("\n"))
    for name in ("wchc", "wchp"):
        same(name, grouped(ours[name]), grouped(apache[name]))
        same(name + " empty line at the end", ours[name].endswith("\n\n"), apache[name].endswith("\n\n"))
    # Apache's server keeps the root under two names and counts it twice.
    counts = [int(re.search(r"^Node count: (\d+)$", answer["srvr"], re.M).group(1)) for answer in answers]
    same("srvr Node count", counts[0] - counts[1] in (0, 1), True)
    for name in ("Connections", "Outstanding", "Zxid", "Mode"):
        line = [re.search(rf"^{name}: .*$", answer["srvr"], re.M) for answer in answers]
        same(f"srvr {name}", *(found.group(0) if found else None for found in reversed(line)))
    ephemerals = [grouped(answer["dump"].split("ephemeral nodes dump:")[1].split("Connections dump:")[0])
                  for answer in answers]
    same("dump ephemerals", ephemerals[1], ephemerals[0])
    same("after srst", *(re.search(r"^Received: (\d+)$", answer["after srst"], re.M) is not None
                         for answer in reversed(answers)))
    same("idle wchs", ours["idle"]["wchs"], apache["idle"]["wchs"])
    same("idle wchc", ours["idle"]["wchc"], apache["idle"]["wchc"])
    same("idle wchp", ours["idle"]["wchp"], apache["idle"]["wchp"])

    found, wanted = metrics(ours["mntr"]), metrics(apache["mntr"])
    missing = [name for name in GAUGES if name not in found]
    same("mntr gauges missing", missing, [])
    same("mntr znode_count", found.get("znode_count"), str(counts[1]))
    for name in ("watch_count", "ephemerals_count", "global_sessions", "num_alive_connections",
                 "approximate_data_size", "server_state", "local_sessions"):
        same(f"mntr {name}", found.get(name), wanted[name])
    for name in GAUGES:
        if name in found and name != "version":
            same(f"mntr form of {name}", shape(found[name]), shape(wanted[name]))
    unknown = [name for name in found if name not in wanted and name not in OCCASIONAL]
    same("mntr keys that Apache's server does not have", unknown, [])

    keys = [[line.split("=", 1)[0] for line in answer["envi"].splitlines()[1:]] for answer in answers]
    same("envi first line", ours["envi"].splitlines()[0], apache["envi"].splitlines()[0])
    same("envi keys missing", [key for key in ENVIRONMENT if key not in keys[1]], [])
    same("envi keys that Apache's server does not have", [key for key in keys[1] if key not in keys[0]], [])
    same("envi order", [key for key in keys[1] if not JAVA_ONLY.match(key)],
         [key for key in keys[0] if not JAVA_ONLY.match(key)])
    if problems:
        raise Failure("\n".join(problems))
    return f"{len(WORDS)} words"


def check_whitelist():
    results = []
    for make in (Apache, Ours):
        seen = {}
        for setting in (None, "ruok, stat", "*", "nosuch"):
            with make(settings={"4lw.commands.whitelist": setting}) as server:
                for name in WORDS:
                    text = word(server.port, name)
                    seen[setting, name] = ("refused" if text == f"{name} is not executed because it is not in the "
                                           "whitelist.\n" else "answered" if text else text)
        with make() as server:
            seen["with a line feed"] = word(server.port, "ruok\n")
            seen["with more behind"] = word(server.port, "ruok", more=b" and so on")
            for unknown in ("abcd", "RUOK", "ruo ", "\0\0\0"):
                seen["unknown", unknown] = word(server.port, unknown, 0.5 if unknown == "\0\0\0" else 5)
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as one:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in b"isro":
                    one.sendall(bytes([byte]))
                seen["byte by byte"] = one.recv(100)
            session = open_session(server.port)
            session.send(b"ruok")
            seen["within a session"] = session.closed_by_server(5)
            # Half a word, then the end: nothing comes, and the server forgets it.
            with socket.create_connection(("127.0.0.1", server.port), timeout=5) as one:
                one.sendall(b"ru")
                one.shutdown(socket.SHUT_WR)
                seen["half a word"] = one.recv(100)
            seen["alive"] = word(server.port, "ruok")
        results.append(seen)
    apache, ours = results
    problems = [f"{key}: found {ours[key]!r}, expected {apache[key]!r}" for key in apache if apache[key] != ours[key]]
    if problems:
        raise Failure("\n".join(problems))
    return f"{len(apache)} questions"


CHECKS = [
    ("words", "four-letter words have the lines and keys of Apache's", check_shapes),
    ("words-whitelist", "four-letter words obey the whitelist as Apache's", check_whitelist),
]
