"""Takes and gives up kazoo's locks as told on standard input: the counterpart of java/Holder.java, the same orders.

Kinds: `lock` (kazoo's own node names, with ours as further patterns), `curator` (Curator's node names), `read` and
`write` (kazoo's own names with Curator's as further patterns).
"""

import sys
import threading

from kazoo.client import KazooClient
from kazoo.recipe.lock import Lock, ReadLock, WriteLock


class CuratorNamed(Lock):
    _NODE_NAME = "-lock-"
    _EXCLUDE_NAMES = ["-lock-"]


KINDS = {
    "lock": lambda client, path: Lock(client, path, extra_lock_patterns=["-lock-"]),
    "curator": CuratorNamed,
    "read": lambda client, path: ReadLock(client, path, extra_lock_patterns=["-__WRIT__"]),
    "write": lambda client, path: WriteLock(client, path, extra_lock_patterns=["-__WRIT__", "-__READ__"]),
}

said = threading.Lock()


def say(text):
    with said:
        print(text, flush=True)


def count(lock, path, times):
    for _ in range(times):
        with lock:
            with open(path) as file:
                value = int(file.read())
            with open(path, "w") as file:
                file.write(f"{value + 1}\n")


def main():
    hosts, timeout = sys.argv[1], float(sys.argv[2]) / 1000
    locks = {}

    def order(name, function, answer):
        def run():
            try:
                function()
                say(f"{answer} {name}")
            except BaseException as problem:
                say(f"failed {name} {problem!r}")
        threading.Thread(target=run, daemon=True).start()
    for line in sys.stdin:
        words = line.split()
        if words[0] == "open":
            client = KazooClient(hosts=hosts, timeout=timeout)
            client.start(20)
            locks[words[1]] = KINDS[words[2]](client, words[3])
            say(f"open {words[1]}")
            continue
        lock = locks[words[1]]
        if words[0] == "acquire":
            order(words[1], lock.acquire, "held")
        elif words[0] == "release":
            order(words[1], lock.release, "released")
        elif words[0] == "count":
            order(words[1], lambda: count(lock, words[2], int(words[3])), "counted")


main()
