"""Runs the checks named on the command line, or all: one line each, a summary, and the status."""

import argparse
import importlib
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

from . import harness, jute

#: Those that are done quickly come first.
MODULES = ("zkcli", "kill", "peers", "partition", "kazoo_client", "words", "modes", "hostile", "files",
           "failover", "differential", "locks", "semaphores", "mixed", "swift_client", "naming", "groups",
           "gathering")

#: Beginnings of the names of checks that measure times or memory, or open very many connections: nothing runs beside them.
ALONE = ("kill", "peers", "partition", "hostile", "failover")


def all_checks():
    """(name, text, function, whether it runs only when it is asked for)"""
    found = []
    for name in MODULES:
        module = importlib.import_module("." + name, __package__)
        found += [(*check, False) for check in module.CHECKS]
        found += [(*check, True) for check in getattr(module, "LONG_CHECKS", ())]
    return found


def main():
    parser = argparse.ArgumentParser(prog="run", description=__doc__)
    parser.add_argument("checks", nargs="*", help="names of checks, or beginnings of names; none: all")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--long", action="store_true", help="everything, more often and longer")
    parser.add_argument("--prove", action="store_true",
                        help="judge Apache's own server in place of Conclave's: proves the checks themselves")
    parser.add_argument("--jobs", type=int, default=1, metavar="N",
                        help="checks at a time, but for those that measure (1)")
    parser.add_argument("--only", metavar="NAME", help=argparse.SUPPRESS)
    parser.add_argument("--verbose", action="store_true", help="what each check has to tell, and tracebacks")
    options = parser.parse_args()
    harness.thorough = options.long
    checks = all_checks()
    if options.list:
        for name, text, _, is_long in checks:
            print(f"{name:22} {text}{' (--long)' if is_long else ''}")
        return 0
    if options.checks:
        for wanted in options.checks:
            if not any(check[0] == wanted or check[0].startswith(wanted + "-") for check in checks):
                print(f"run: no check named {wanted}; --list shows them", file=sys.stderr)
                return 2
        checks = [check for check in checks
                  if any(check[0] == wanted or check[0].startswith(wanted + "-") for wanted in options.checks)]
    elif not options.long and not options.only:
        checks = [check for check in checks if not check[3]]
    harness.proving = options.prove

    def interrupted(number, _):
        raise KeyboardInterrupt(f"signal {number}")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    if options.only:
        checks = [check for check in checks if check[0] == options.only]
    begin = time.monotonic()
    counts = {"pass": 0, "FAIL": 0, "skip": 0}
    try:
        if options.jobs > 1:
            for check in [check for check in checks if check[0].split("-")[0] in ALONE]:
                counts[perform(check, options.verbose)] += 1
            together([check for check in checks if check[0].split("-")[0] not in ALONE], options, counts)
        else:
            for check in checks:
                counts[perform(check, options.verbose)] += 1
    except KeyboardInterrupt:
        return 130
    summary = f"{counts['pass']} passed, {counts['FAIL']} failed"
    if counts["skip"]:
        summary += f", {counts['skip']} skipped"
    print(f"{summary} ({time.monotonic() - begin:.0f} s)")
    return 1 if counts["FAIL"] or not counts["pass"] else 0


def perform(check, verbose, tries=3):
    """Runs one check and prints its line.

    On a machine that stands still for a second, or whose disk does, servers rightly lose touch with each other and sessions
    end. A check that found something too slow, or lost its connection, while that happened is made again, twice at most, and
    says so. What is wrong at any speed stays wrong: a lost write, trees that differ, a server that ended.
    """
    name, text, function, _ = check
    start, mark, details, isUntimely = time.monotonic(), harness.resources(), None, False
    machine = harness.Wakefulness()
    try:
        with machine:
            details = function()
        outcome = "pass"
    except harness.Skipped as reason:
        outcome, details = "skip", str(reason)
    except KeyboardInterrupt:
        print(f"FAIL  {name:22} interrupted", flush=True)
        raise
    except Exception as problem:  # A check may fail in any way; the others go on.
        isUntimely = isinstance(problem, (harness.Untimely, jute.Closed))
        outcome, details = "FAIL", str(problem) if isinstance(problem, harness.Failure) else repr(problem)
        if not isinstance(problem, harness.Failure):
            details += "\n" + traceback.format_exc()
    stalled = ""
    if isUntimely and tries > 1:
        if sync := harness.longest_sync(mark):
            stalled = f"a sync took {sync} ms"
        elif machine.longest >= 1000:
            stalled = f"no processor for {machine.longest} ms"
    harness.release_since(mark)
    if stalled:
        print(f"again {name:22} {stalled} meanwhile; what had failed: {details.splitlines()[0]}", flush=True)
        return perform(check, verbose, tries - 1)
    print(f"{outcome}  {name:22} {time.monotonic() - start:6.1f} s  {text}", flush=True)
    if details and (verbose or outcome != "pass"):
        print("    " + str(details).rstrip().replace("\n", "\n    "), flush=True)
    return outcome


def together(checks, options, counts):
    """Runs checks several at a time, each in a process and with ports of its own."""
    waiting, lock, running, stopped = list(checks), threading.Lock(), {}, threading.Event()
    first, last = (int(part) for part in os.environ.get("INTEROP_PORTS", harness.PORTS).split("-"))
    share = (last - first + 1) // options.jobs

    def work(place):
        environment = dict(os.environ)
        environment["INTEROP_PORTS"] = f"{first + place * share}-{first + (place + 1) * share - 1}"
        flags = [flag for flag, isSet in (("--long", options.long), ("--prove", options.prove),
                                          ("--verbose", options.verbose)) if isSet]
        while not stopped.is_set():
            with lock:
                if not waiting:
                    return
                name = waiting.pop(0)[0]
                process = subprocess.Popen([sys.executable, "-m", "interop", "--only", name, *flags], env=environment,
                                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
                running[place] = process
            output = process.communicate()[0].splitlines()
            with lock:
                del running[place]
                lines = [line for line in output if not line.startswith("again ")]
                outcome = lines[0][:4] if lines and lines[0][:4] in counts else "FAIL"
                if process.returncode not in (0, 1):
                    outcome = "FAIL"
                    output += [f"FAIL  {name:22} ended with status {process.returncode}", ""]
                # The last line is the summary, of one.
                print("\n".join(output[:-1]), flush=True)
                counts[outcome] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(options.jobs)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        stopped.set()
        with lock:
            for process in running.values():
                process.terminate()
        for thread in threads:
            thread.join()
        raise


if __name__ == "__main__":
    sys.exit(main())
