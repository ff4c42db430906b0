"""The leader ends in every way, under load: how long until somebody writes again, and whether anything was lost.

An interruption lasts from the signal to the first acknowledged write of a later epoch. Ours and Apache's take turns, so
that what disturbs the machine disturbs both; pauses of the machine itself count for both.
"""

import random

from .ensemble import *

#: How often ours, how often Apache's: it needs a second or two each time.
KILLS = int(os.environ.get("INTEROP_LEADER_KILLS", "30"))
PLUGS = int(os.environ.get("INTEROP_PLUGS", "20"))

MEDIAN_LIMIT, WORST_LIMIT = 0.150, 1.0
HANDOVER_LIMIT = 0.050
#: What is added to the time in which a silent leader is noticed.
REPLACING_LIMIT = 0.150


def rounds(often, seldom):
    return often if harness.thorough else seldom


class Trial:
    """One ensemble under load whose leader ends again and again."""

    def __init__(self, kinds, settings=None, **options):
        self.ensemble = Ensemble(kinds, settings=settings)
        self.kinds, self.options, self.times, self.load = kinds, options, [], None

    def __enter__(self):
        self.ensemble.start()
        self.load = Load(self.ensemble, **self.options)
        self.load.wait_more(50)
        return self

    def __exit__(self, *_):
        for writer in self.load.writers if self.load else []:
            writer.ended.set()
        self.ensemble.__exit__()

    def interrupt(self, end):
        """`end(ensemble, leader)` returns the moment at which it began."""
        self.load.go_on()
        self.load.wait_more(100)
        leader = self.ensemble.wait_leader()
        zxid = self.ensemble.zxid(leader)
        begin = end(self.ensemble, leader)
        self.times.append(self.load.first_after(zxid) - begin)
        return leader

    def come_back(self, id_):
        self.ensemble.launch(id_)
        self.ensemble.wait_serving(id_)
        # The other ensemble's turn.
        self.load.rest()

    def judge(self):
        self.load.go_on()
        self.load.wait_more(20)
        self.load.finish()
        count = self.load.verify()
        # Apache's servers lose count of their digest when they catch up while others write.
        self.ensemble.agree(digests="a" not in self.kinds)
        return count


def by_signal(number):
    def end(ensemble, leader):
        begin = time.monotonic()
        os.kill(ensemble[leader].pid, number)
        end_process(ensemble[leader].process, number)
        ensemble[leader].process = None
        return begin
    return end


def compare(number, often, seldom):
    """Ends the leader of ours `often` and of Apache's `seldom` times, in turns; returns the two trials' times."""
    with Trial("ccc") as ours, Trial("aaa") as apache:
        ours.load.rest()
        apache.load.rest()
        for round_ in range(often):
            ours.come_back(ours.interrupt(by_signal(number)))
            if round_ * seldom // often != (round_ + 1) * seldom // often:
                apache.come_back(apache.interrupt(by_signal(number)))
        counts = ours.judge(), apache.judge()
        return ours.times, apache.times, counts


def told(times, apache, counts):
    lines = (f"ours {milliseconds(times)} ({len(times)} times, {counts[0]} acknowledged writes); "
             f"Apache's {milliseconds(apache)} ({len(apache)} times, {counts[1]} writes): "
             f"{median(apache) / median(times):.0f} times as long")
    return lines + "\nours, each in ms: " + " ".join(f"{one * 1000:.0f}" for one in sorted(times))


def judged(times, limit, text):
    if harness.proving:
        return
    expect_timely(median(times) <= limit, f"{text}: the median is above {limit * 1000:.0f} ms")
    expect_timely(max(times) <= WORST_LIMIT, f"{text}: the worst is above {WORST_LIMIT * 1000:.0f} ms")


def check_kill():
    times, apache, counts = compare(signal.SIGKILL, KILLS, rounds(KILLS, 4))
    text = told(times, apache, counts)
    judged(times, MEDIAN_LIMIT, text)
    return text


def check_terminate():
    times, apache, counts = compare(signal.SIGTERM, rounds(30, 12), rounds(10, 2))
    text = told(times, apache, counts)
    judged(times, HANDOVER_LIMIT, text)
    return text


def check_mixed_kill():
    """The same in mixed ensembles, where nobody promises a time: nothing is lost."""
    results = []
    for kinds in ("cca", "aac", "cac"):
        with Trial(kinds) as trial:
            for _ in range(rounds(12, 4)):
                trial.come_back(trial.interrupt(by_signal(signal.SIGKILL)))
            results.append(f"{kinds}: {milliseconds(trial.times)}, {trial.judge()} writes")
    return "\n".join(results)


def check_hang():
    """A leader that stands still is noticed after syncLimit ticks and replaced at once; when it goes on, it follows."""
    settings = {"tickTime": "100", "initLimit": "50", "syncLimit": "4"}
    detection = 0.4
    # A client that tries the silent server itself would be measured otherwise.
    with Trial("ccc", settings=settings, patience=1.0, timeout=60_000, pinned=True) as trial:
        for _ in range(rounds(20, 6)):
            def stand_still(ensemble, leader):
                begin = time.monotonic()
                ensemble.pause(leader)
                return begin
            leader = trial.interrupt(stand_still)
            trial.load.wait_more(20)
            trial.ensemble.resume(leader)
            wait_until(lambda: trial.ensemble.role(leader) == "follower", "the leader that stood still follows", 10)
        count = trial.judge()
        text = f"detection {detection * 1000:.0f} ms; {milliseconds(trial.times)}, {count} acknowledged writes"
        text += "\neach in ms: " + " ".join(f"{one * 1000:.0f}" for one in sorted(trial.times))
        if not harness.proving:
            expect_timely(median(trial.times) <= detection + REPLACING_LIMIT, text)
            expect_timely(max(trial.times) <= detection + WORST_LIMIT, text)
        return text


def check_follower_kills():
    """Followers end and return under load: writes go on meanwhile without a pause worth the name."""
    with Trial("ccc") as trial:
        ensemble, longest = trial.ensemble, 0.0
        for _ in range(rounds(20, 8)):
            leader = ensemble.wait_leader()
            followers = [id_ for id_ in ensemble.ids if id_ != leader]
            victim = followers[_ % 2]
            ensemble.kill(victim)
            trial.load.wait_more(100)
            ensemble.launch(victim)
            ensemble.wait_serving(victim)
            expect_equal(ensemble.leader(), leader, "the leader after a follower ended and returned")
        count = trial.judge()
        moments = sorted(moment for writer in trial.load.writers for _, _, moment in writer.acknowledged)
        longest = max(later - earlier for earlier, later in zip(moments, moments[1:]))
        expect_timely(harness.proving or longest < WORST_LIMIT, f"nobody wrote for {longest * 1000:.0f} ms")
        return f"{count} acknowledged writes, longest pause {longest * 1000:.0f} ms"


def plug(kinds, times):
    with Ensemble(kinds) as ensemble:
        ensemble.start()
        load, begins = Load(ensemble, writers=4, depth=16), []
        choice = random.Random(11)
        for round_ in range(times):
            load.wait_more(choice.randrange(1, 400))
            ensemble.kill(*ensemble.ids)
            begin = time.monotonic()
            if round_ % 3 == 2:
                # Two of them have to do at first.
                late = choice.choice(ensemble.ids)
                rest = [id_ for id_ in ensemble.ids if id_ != late]
                ensemble.start(*rest)
                load.wait_more(50)
                ensemble.start(late)
            else:
                ensemble.start()
            load.wait_more(1)
            begins.append(time.monotonic() - begin)
        load.finish()
        count = load.verify()
        ensemble.agree(digests="a" not in kinds)
        return f"{kinds}: {times} times, {count} acknowledged writes, back after {milliseconds(begins)}"


def check_plug():
    return plug("ccc", PLUGS)


def check_mixed_plug():
    return "\n".join(plug(kinds, rounds(10, 3)) for kinds in ("cca", "aac"))


CHECKS = [
    ("failover-kill", f"SIGKILL of the leader under load {KILLS} times: quickly replaced, nothing lost, beside Apache's",
     check_kill),
    ("failover-term", "SIGTERM of the leader under load: handed over, beside Apache's", check_terminate),
    ("failover-hang", "SIGSTOP of the leader under load: noticed, replaced, it follows afterwards", check_hang),
    ("failover-plug", f"all three killed at once under load {PLUGS} times: nothing acknowledged is lost", check_plug),
]
LONG_CHECKS = [
    ("failover-follower", "followers end and return under load: writes go on", check_follower_kills),
    ("failover-mixed", "SIGKILL of the leader of mixed ensembles under load: nothing is lost", check_mixed_kill),
    ("failover-plug-mixed", "all servers of mixed ensembles killed at once: nothing is lost", check_mixed_plug),
]
