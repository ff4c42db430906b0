"""Runs the checks named on the command line, or all: one line each, a summary, and the status."""

import argparse
import importlib
import signal
import sys
import time
import traceback

from . import harness

#: Those that are done quickly come first.
MODULES = ("zkcli", "kill", "peers", "partition", "kazoo_client", "words", "modes", "hostile", "files",
           "failover", "differential", "locks", "semaphores", "mixed", "swift_client", "naming", "groups",
           "gathering")


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
    elif not options.long:
        checks = [check for check in checks if not check[3]]
    harness.proving = options.prove

    def interrupted(number, _):
        raise KeyboardInterrupt(f"signal {number}")
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)

    passed, failed, skipped, begin = 0, 0, 0, time.monotonic()
    for name, text, function, _ in checks:
        start, mark, details = time.monotonic(), harness.resources(), None
        try:
            details = function()
            outcome = "pass"
            passed += 1
        except harness.Skipped as reason:
            outcome, details = "skip", str(reason)
            skipped += 1
        except KeyboardInterrupt:
            print(f"FAIL  {name:22} interrupted", flush=True)
            return 130
        except Exception as problem:  # A check may fail in any way; the others go on.
            outcome, details = "FAIL", str(problem) if isinstance(problem, harness.Failure) else repr(problem)
            failed += 1
            if not isinstance(problem, harness.Failure):
                details += "\n" + traceback.format_exc()
        harness.release_since(mark)
        print(f"{outcome}  {name:22} {time.monotonic() - start:6.1f} s  {text}", flush=True)
        if details and (options.verbose or outcome != "pass"):
            print("    " + str(details).rstrip().replace("\n", "\n    "), flush=True)
    summary = f"{passed} passed, {failed} failed"
    if skipped:
        summary += f", {skipped} skipped"
    print(f"{summary} ({time.monotonic() - begin:.0f} s)")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
