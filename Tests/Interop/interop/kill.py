"""SIGKILL under a pipelined write load, again and again: what was acknowledged is there after the restart."""

import random
import threading

from .harness import *
from .jute import *

ROUNDS = int(os.environ.get("INTEROP_KILLS", "50"))
CONNECTIONS, DEPTH = 4, 64


class Writer(threading.Thread):
    """Keeps `DEPTH` writes in flight until its connection breaks, and remembers what was acknowledged.

    Every writer owns a counter node (its data only grows) and makes a new node for every other write, so both a lost
    acknowledged write and a write that came back changed would be seen.
    """

    def __init__(self, port, name, first, acknowledged):
        super().__init__(daemon=True)
        self.name_, self.number, self.acknowledged_value, self.port = name, first, acknowledged, port
        self.created, self.problem, self.zxid = [], None, 0

    def request(self, number):
        if number % 2:
            return SET_DATA, set_data_(f"/load/{self.name_}", b"%d" % number)
        return CREATE, create_(f"/load/{self.name_}-{number}", b"value %d" % number)

    def run(self):
        try:
            connection = open_session(self.port, timeout=30_000)
            flight = []
            while True:
                data = b""
                while len(flight) < DEPTH:
                    operation, body = self.request(self.number)
                    data += frame_(int_(self.number) + int_(operation) + body)
                    flight.append(self.number)
                    self.number += 1
                connection.send(data)
                while len(flight) > DEPTH // 2:
                    reply = connection.reply()
                    number = flight.pop(0)
                    if reply.xid != number or reply.error:
                        self.problem = f"write {number} answered with xid {reply.xid}, error {reply.error}"
                        return
                    self.zxid = reply.zxid
                    if number % 2:
                        self.acknowledged_value = number
                    else:
                        self.created.append(number)
        except (Closed, TimeoutError, ConnectionError):
            pass


def verify(port, writers):
    """Every acknowledged write of the round is there."""
    connection = open_session(port)
    for writer in writers:
        error, value = connection.ask(GET_DATA, path_watch_(f"/load/{writer.name_}"))
        expect(error == 0, f"/load/{writer.name_}: {error}")
        found = int(value[0])
        expect(writer.acknowledged_value <= found < writer.number,
               f"/load/{writer.name_} holds {found}; acknowledged {writer.acknowledged_value}, sent up to {writer.number}")
        for start in range(0, len(writer.created), 500):
            part = writer.created[start:start + 500]
            for number in part:
                connection.post(GET_DATA, path_watch_(f"/load/{writer.name_}-{number}"))
            for number in part:
                reply = connection.reply()
                expect(reply.error == 0, f"acknowledged /load/{writer.name_}-{number} is missing ({reply.error})")
                expect_equal(decode_body(GET_DATA, reply.body)[0], b"value %d" % number, f"{writer.name_}-{number}")
    connection.close_session()


def check_kills():
    choice = random.Random(4)
    server = Ours(settings={"snapCount": "4000", "autopurge.snapRetainCount": "3"})
    server.start()
    connection = open_session(server.port)
    connection.ask(CREATE, create_("/load"))
    next_number = {f"w{n}": (1, 0) for n in range(CONNECTIONS)}
    for name in next_number:
        connection.ask(CREATE, create_(f"/load/{name}", b"0"))
    connection.close_session()
    total, last_zxid, everything = 0, 0, []
    for round_ in range(ROUNDS):
        writers = [Writer(server.port, name, *start) for name, start in next_number.items()]
        for writer in writers:
            writer.start()
        # The kill strikes after a random number of acknowledged writes, so anywhere within a batch.
        aim = choice.randrange(1, 1500)
        wait_until(lambda: sum(len(writer.created) for writer in writers) * 2 >= aim
                   or any(not writer.is_alive() for writer in writers), f"{aim} writes in round {round_}", 60, 0.0005)
        server.kill()
        for writer in writers:
            writer.join(20)
            expect(not writer.is_alive(), "a writer does not notice that its server is gone")
            expect(writer.problem is None, f"round {round_}: {writer.problem}")
        server.start()
        highest = max(writer.zxid for writer in writers)
        expect(server.zxid() >= highest, f"round {round_}: zxid {server.zxid():#x} after {highest:#x} was acknowledged")
        expect(server.zxid() >= last_zxid, f"round {round_}: the zxid went back")
        last_zxid = server.zxid()
        verify(server.port, writers)
        total += sum(len(writer.created) for writer in writers) * 2
        everything += writers
        next_number = {writer.name_: (writer.number, writer.acknowledged_value) for writer in writers}
    # Nothing acknowledged in any round was lost later either; the newest values only.
    latest = {}
    for writer in everything:
        earlier = latest.get(writer.name_)
        if earlier is not None:
            writer.created = earlier.created + writer.created
        latest[writer.name_] = writer
    verify(server.port, list(latest.values()))
    if server.kind == "conclave":
        expect_equal(server.metrics().get("zk_digest_mismatches_count", "0"), "0", "digest mismatches")
    server.stop()
    return f"{ROUNDS} kills, about {total} acknowledged writes"


def check_full_disk():
    """The log cannot grow any more: the server ends and says why, and what it had acknowledged is there."""
    server = Ours()
    if server.kind != "conclave":
        raise Skipped("Apache's server goes on in its own way")
    unlimited = server.command
    server.command = lambda configuration: (
        ["bash", "-c", 'ulimit -f 6000; exec "$@"', "limited"] + unlimited(configuration))
    server.start()
    connection = open_session(server.port)
    connection.ask(CREATE, create_("/load"))
    names = [f"w{n}" for n in range(CONNECTIONS)]
    for name in names:
        connection.ask(CREATE, create_(f"/load/{name}", b"0"))
    writers = [Writer(server.port, name, 1, 0) for name in names]
    for writer in writers:
        writer.start()
    wait_until(lambda: not server.alive(), "the end of a server whose files must not grow", 60)
    for writer in writers:
        writer.join(20)
        expect(not writer.is_alive(), "a writer does not notice that its server is gone")
        expect(writer.problem is None, writer.problem)
    expect_equal(server.process.returncode, 1, "exit status")
    text = server.log_tail()
    expect("log." in text and "File too large" in text, f"neither file nor reason in: {text}")
    server.command = unlimited
    server.start()
    expect(server.zxid() >= max(writer.zxid for writer in writers), "the zxid went back")
    verify(server.port, writers)
    server.stop()
    return f"{sum(len(writer.created) for writer in writers) * 2} acknowledged writes"


CHECKS = [("kill", f"SIGKILL {ROUNDS} times under pipelined writes: nothing acknowledged is lost", check_kills),
          ("kill-disk", "a disk that takes no more: the server ends and says why, nothing is lost", check_full_disk)]
