"""kazoo's recipes under the loads of `recipe-load`, with the same names and the same line of result.

    kazoo_load.py NAME HOSTS SECONDS

All sessions live in one process, as in the other tools, each contender in a thread.
"""

import logging
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.recipe.barrier import DoubleBarrier
from kazoo.recipe.election import Election
from kazoo.recipe.lock import Lock
from kazoo.recipe.queue import Queue

logging.disable(logging.CRITICAL)
FOLDER = f"/kazoo-load-{time.time_ns():x}"


def main():
    name, hosts, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])

    def clients(count):
        made = []
        for _ in range(count):
            client = KazooClient(hosts, timeout=30)
            client.start()
            made.append(client)
        made[0].ensure_path(FOLDER)
        return made

    def rate(steps):
        """How often a second the steps ran through, each in a thread of its own: one second uncounted."""
        begin = time.monotonic() + 1
        end, counts = begin + seconds, []

        def repeat(step):
            count = 0
            while True:
                step()
                now = time.monotonic()
                if now >= end:
                    counts.append(count)
                    return
                if now >= begin:
                    count += 1
        threads = [threading.Thread(target=repeat, args=(step,)) for step in steps]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(counts) != len(steps):
            sys.exit("kazoo_load: a contender failed")
        return sum(counts) / seconds

    def tell(value, unit):
        print(f"{name} {value:.5g} {unit}")

    def handoff(count):
        def step(lock):
            def run():
                lock.acquire()
                lock.release()
            return run
        tell(rate([step(Lock(client, FOLDER + "/lock")) for client in clients(count)]), "/s")

    if name == "lock":
        handoff(1)
    elif name.startswith("handoff-"):
        handoff(int(name[8:]))
    elif name == "election":
        times = []
        for turn in range(31):
            first, second = clients(2)
            path, leads, led = f"{FOLDER}/election-{turn}", threading.Event(), threading.Event()
            stay, moment = threading.Event(), []

            def lead():
                leads.set()
                stay.wait()

            def follow():
                moment.append(time.monotonic())
                led.set()
            threading.Thread(target=lambda: Election(first, path).run(lead), daemon=True).start()
            leads.wait()
            threading.Thread(target=lambda: Election(second, path).run(follow), daemon=True).start()
            while len(second.get_children(path)) < 2:
                pass
            begin = time.monotonic()
            first.stop()
            led.wait()
            times.append((moment[0] - begin) * 1e3)
            stay.set()
            second.stop()
        tell(sorted(times[1:])[15], "ms")
    elif name.startswith("barrier-"):
        count, times = int(name[8:]), []
        members = clients(count)
        for turn in range(11):
            path, start = f"{FOLDER}/barrier-{turn}", threading.Event()

            def pass_(client):
                barrier = DoubleBarrier(client, path, count)
                start.wait()
                barrier.enter()
                barrier.leave()
            threads = [threading.Thread(target=pass_, args=(client,)) for client in members]
            for thread in threads:
                thread.start()
            begin = time.monotonic()
            start.set()
            for thread in threads:
                thread.join()
            times.append((time.monotonic() - begin) * 1e3)
        tell(sorted(times[1:])[5], "ms")
    elif name == "queue-put":
        queue = Queue(clients(1)[0], FOLDER + "/queue")
        tell(rate([lambda: queue.put(bytes(100))]), "/s")
    elif name == "queue-take":
        queue = Queue(clients(1)[0], FOLDER + "/queue")
        count = int(1_000 * seconds)
        for _ in range(count):
            queue.put(bytes(100))
        begin = time.monotonic()
        for _ in range(count):
            queue.get()
        tell(count / (time.monotonic() - begin), "/s")
    elif name == "ids":
        client = clients(1)[0]
        client.ensure_path(FOLDER + "/ids")
        tell(rate([lambda: client.create(FOLDER + "/ids/id-", b"", sequence=True)]), "/s")
    elif name == "fanout-1000":
        members = clients(20)
        path, rounds, times = FOLDER + "/value", 20, []
        members[0].create(path, b"0")
        lock, state = threading.Lock(), {"wanted": b"", "missing": 0}
        done = threading.Event()

        def changed(data, stat):
            with lock:
                if data == state["wanted"]:
                    state["missing"] -= 1
                    if state["missing"] == 0:
                        done.set()
        for client in members:
            for _ in range(50):
                client.DataWatch(path)(changed)
        for turn in range(1, rounds + 2):
            with lock:
                state["wanted"], state["missing"] = b"%d" % turn, 1_000
            done.clear()
            begin = time.monotonic()
            members[0].set(path, b"%d" % turn)
            done.wait()
            times.append((time.monotonic() - begin) * 1e3)
        tell(sorted(times[1:])[rounds // 2], "ms")
    else:
        print(f"kazoo_load: {name} is not known", file=sys.stderr)
        return 2
    clients(1)[0].delete(FOLDER, recursive=True)
    return 0


if __name__ == "__main__":
    # Threads of stopped clients must not keep the process.
    import os
    status = main()
    sys.stdout.flush()
    os._exit(status)
