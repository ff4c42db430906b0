"""Servers, ports, deadlines: what every check needs and nothing that one of them decides.

Nothing here waits for a fixed time: every wait names a condition and a deadline.
"""

import atexit
import glob
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
JAVA_JARS = "/usr/share/java"
ZOOKEEPER_CLASSES = f"{JAVA_JARS}/zookeeper.jar:{JAVA_JARS}/slf4j-simple.jar"
CURATOR_CLASSES = ":".join(
    f"{JAVA_JARS}/{name}.jar"
    for name in ("curator-recipes", "curator-framework", "curator-client", "zookeeper", "zookeeper-jute", "guava",
                 "slf4j-simple"))

SUPER_PASSWORD = "super:test"
SUPER_DIGEST = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="


class Failure(Exception):
    """A check found something wrong; the text says what, with what was expected."""


class Untimely(Failure):
    """Something took too long, or a leader was lost that should have stayed: on a disk that stands still that is right."""


class Skipped(Exception):
    """A check cannot run here; the text says why. Counted as a failure unless it was asked for."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def expect_timely(condition, text):
    if not condition:
        raise Untimely(text)


def expect_equal(found, wanted, text):
    if found != wanted:
        raise Failure(f"{text}: found {found!r}, expected {wanted!r}")


def wait_until(condition, what, seconds=20.0, pause=0.01):
    """Returns the first true value of `condition`, asked again and again until the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


# Temporary folders and processes, gone at the end whatever happened.

_folders = []
_processes = []
_lock = threading.Lock()


def temporary_folder():
    folder = tempfile.mkdtemp(prefix="conclave-interop-")
    with _lock:
        _folders.append(folder)
    return folder


def spawn(arguments, **options):
    """Starts a process in a group of its own which is killed when this one ends."""
    process = subprocess.Popen(arguments, start_new_session=True, **options)
    with _lock:
        _processes.append(process)
    return process


def end_process(process, kind=signal.SIGKILL, seconds=20):
    if process.poll() is None:
        try:
            os.killpg(process.pid, kind)
        except ProcessLookupError:
            pass
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        if kind == signal.SIGKILL:
            raise
        end_process(process)
        raise Failure(f"process {process.args[0]} did not end within {seconds} s of signal {kind}")
    with _lock:
        if process in _processes:
            _processes.remove(process)
    return process.returncode


@atexit.register
def clean_up():
    with _lock:
        processes, folders = list(_processes), list(_folders)
        _processes.clear()
        _folders.clear()
    for process in processes:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            pass
    if os.environ.get("INTEROP_KEEP"):
        print("kept: " + " ".join(folders), file=sys.stderr)
        return
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def release_since(mark):
    """Ends the processes and removes the folders that were added after `mark` (see `resources`)."""
    with _lock:
        processes, folders = _processes[mark[0]:], _folders[mark[1]:]
    for process in processes:
        end_process(process)
    if not os.environ.get("INTEROP_KEEP"):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
            with _lock:
                _folders.remove(folder)


SLOW_SYNCS = re.compile(r"a sync of the transaction log took (\d+) ms|fsync-ing the write ahead log in \S+ took (\d+)ms")


def longest_sync(mark):
    """Milliseconds that a server has waited for its disk since `mark`, if it was worth a warning to it; else 0."""
    with _lock:
        folders = _folders[mark[1]:]
    longest = 0
    for folder in folders:
        for path in glob.glob(os.path.join(folder, "*.out")):
            with open(path, errors="replace") as log:
                for line in log:
                    found = SLOW_SYNCS.search(line)
                    longest = max(longest, int(found.group(1) or found.group(2)) if found else 0)
    return longest


class Wakefulness:
    """Tells how late a thread came to run that sleeps for moments: how long the whole machine gave us no processor."""

    def __enter__(self):
        self.longest, self.ended = 0, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self, nap=0.05):
        before = time.monotonic()
        while not self.ended.wait(nap):
            now = time.monotonic()
            self.longest, before = max(self.longest, int((now - before - nap) * 1000)), now

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def resources():
    with _lock:
        return len(_processes), len(_folders)


# Ports. Below the range from which the kernel takes ports of outgoing connections, so that a server can be
# started again on its old port.

PORTS = "21000-29999"
_first, _last = (int(part) for part in os.environ.get("INTEROP_PORTS", PORTS).split("-"))
_handed_out = set()
_port_random = random.Random()


def free_port():
    for _ in range(10_000):
        port = _port_random.randint(_first, _last)
        if port in _handed_out:
            if len(_handed_out) > (_last - _first) // 2:
                _handed_out.clear()
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise Failure("no free port")


def word(port, text, seconds=10.0, more=b""):
    """The complete answer to a four-letter word, or None if nobody listens or the connection broke."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(text.encode() + more)
            answer = bytearray()
            while True:
                piece = connection.recv(65536)
                if not piece:
                    return answer.decode("utf-8", "replace")
                answer += piece
    except OSError:
        return None


class Server:
    """One server process on loopback, Conclave's or Apache's, configured by the same file."""

    kind = "server"

    def __init__(self, folder=None, port=None, settings=None):
        self.folder = folder or temporary_folder()
        self.port = port or free_port()
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.data, exist_ok=True)
        self.settings = {
            "dataDir": self.data,
            "clientPort": str(self.port),
            "clientPortAddress": "127.0.0.1",
            "tickTime": "2000",
            "maxClientCnxns": "0",
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            "DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
        }
        self.settings.update(settings or {})
        self.process = None
        self.output = os.path.join(self.folder, f"{self.kind}.out")

    @property
    def hosts(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def command(self, configuration):
        raise NotImplementedError

    def write_configuration(self):
        path = os.path.join(self.folder, f"{self.kind}.cfg")
        with open(path, "w") as file:
            for key, value in self.settings.items():
                if value is not None:
                    file.write(f"{key}={value}\n")
        return path

    def launch(self):
        """Starts the process and does not wait for anything."""
        with open(self.output, "ab") as out:
            self.process = spawn(self.command(self.write_configuration()), stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL, cwd=self.folder)

    def start(self, seconds=60.0):
        self.launch()
        self.wait_serving(seconds)
        return self

    def wait_serving(self, seconds=60.0):
        def serving():
            if self.process.poll() is not None:
                raise Failure(f"{self.kind} ended with {self.process.returncode} at start: {self.log_tail()}")
            answer = word(self.port, "srvr", 5)
            return answer and "Mode:" in answer
        wait_until(serving, f"{self.kind} serves on {self.port}: {self.log_tail()}", seconds, 0.004)

    def log_tail(self, count=2000):
        try:
            with open(self.output, "rb") as file:
                return file.read()[-count:].decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def stop(self):
        code = end_process(self.process, signal.SIGTERM)
        self.process = None
        return code

    def kill(self):
        end_process(self.process, signal.SIGKILL)
        self.process = None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def zxid(self):
        return int(re.search(r"Zxid: 0x([0-9a-f]+)", word(self.port, "srvr")).group(1), 16)

    def metrics(self):
        lines = (word(self.port, "mntr") or "").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def resident_kilobytes(self):
        with open(f"/proc/{self.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def is_stopped(self):
        """Whether all threads stand still after SIGSTOP."""
        states = []
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/stat") as file:
                states.append(file.read().rsplit(")", 1)[1].split()[0])
        return set(states) == {"T"}

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None:
            end_process(self.process)
            self.process = None


class Apache(Server):
    kind = "apache"

    def __init__(self, folder=None, port=None, settings=None, properties=None):
        super().__init__(folder, port, settings)
        self.properties = properties or {}

    def command(self, configuration):
        return (["java", "-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=4", "-Dzookeeper.jmx.log4j.disable=true",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=" + os.environ.get("INTEROP_APACHE_LOG", "error"),
                 "-Dorg.slf4j.simpleLogger.log.org.apache.zookeeper.server.persistence.FileTxnLog=warn"]
                + [f"-D{key}={value}" for key, value in self.properties.items()]
                + ["-cp", ZOOKEEPER_CLASSES, "org.apache.zookeeper.server.quorum.QuorumPeerMain", configuration])


class Conclave(Server):
    kind = "conclave"
    # Keys which Apache takes only from the command line of its JVM are ordinary keys of the file here.
    def __init__(self, folder=None, port=None, settings=None, properties=None):
        merged = dict(settings or {})
        merged.update(properties or {})
        super().__init__(folder, port, merged)

    def command(self, configuration):
        return [conclave_tool(), "server", configuration]


def conclave_tool():
    path = os.environ.get("CONCLAVE") or os.path.join(ROOT, ".build", "release", "conclave")
    if not os.access(path, os.X_OK):
        raise Failure(f"no executable at {path}; build it or name it in CONCLAVE")
    return path


#: The server that is judged. `run --prove` puts Apache's own in its place, to prove the checks themselves.
proving = False
#: Whether the checks take their time: `run --long`.
thorough = False


def Ours(*arguments, **options):
    return (Apache if proving else Conclave)(*arguments, **options)


def java(main, arguments=(), classes=ZOOKEEPER_CLASSES, seconds=60, **options):
    """Runs a Java program to its end; returns (status, output, errors)."""
    result = subprocess.run(["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", classes, main, *arguments],
                            capture_output=True, timeout=seconds, **options)
    return result.returncode, result.stdout.decode("utf-8", "replace"), result.stderr.decode("utf-8", "replace")


def number(data, offset=0):
    return struct.unpack_from(">i", data, offset)[0]
