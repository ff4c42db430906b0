"""Servers that cannot hear each other: whoever is without a quorum acknowledges nothing, the others go on, and nothing is lost.

Every connection between two servers goes over a wire of its own that can be stopped, in one direction or both. What is on
its way then arrives when the wire is mended, as after a network was down.
"""

from .ensemble import *
from .mixed import elect

#: A silent server is noticed after a second. For as long as initLimit Apache's followers wait for a leader that does not
#: hear them, perhaps twice.
SETTINGS = {"tickTime": "200", "initLimit": "25", "syncLimit": "5"}
DETECTION = 1.0
#: How long an answer may take to come out of a server that had it already.
AFTERWARDS = 0.25


class Split:
    """An ensemble on wires under load, one writer at each server."""

    def __init__(self, kinds, leader, settings=SETTINGS):
        self.ensemble = Ensemble(kinds, settings=settings, wired=True)
        self.wanted = leader
        self.load = None

    def __enter__(self):
        elect(self.ensemble, self.wanted)
        self.load = Load(self.ensemble, writers=3, depth=4, patience=0.5, timeout=60_000, pinned=True)
        self.load.wait_more(100)
        self.leader = self.ensemble.wait_leader()
        self.others = [id_ for id_ in self.ensemble.ids if id_ != self.leader]
        return self

    def __exit__(self, *_):
        for writer in self.load.writers if self.load else []:
            writer.ended.set()
        self.ensemble.__exit__()

    def acknowledged_since(self, id_, moment):
        """How many writes a server has acknowledged after a moment."""
        writer = self.load.writers[id_ - 1]
        return sum(1 for _, _, when in list(writer.acknowledged)[-5000:] if when > moment)

    def expect_silence(self, ids, moment, what):
        for id_ in ids:
            count = self.acknowledged_since(id_, moment + AFTERWARDS)
            expect(count == 0, f"{what}: server {id_} acknowledged {count} writes without a quorum{self.ensemble.tails()}")

    def wait_writes(self, ids, what, count=20, seconds=PATIENCE):
        """Waits until each of these servers acknowledges writes; returns how long that took."""
        begin = time.monotonic()
        for id_ in ids:
            wait_until(lambda: self.acknowledged_since(id_, begin) >= count, f"{what}: server {id_} takes writes"
                       f"{self.ensemble.tails()}", seconds)
        return time.monotonic() - begin

    def wait_no_role(self, ids, what, seconds=PATIENCE):
        for id_ in ids:
            wait_until(lambda: self.ensemble.role(id_) is None, f"{what}: server {id_} does not serve any more", seconds)

    def judge(self):
        self.ensemble.wait_serving()
        self.wait_writes(self.ensemble.ids, "in the end")
        self.load.finish()
        count = self.load.verify()
        self.ensemble.agree(digests=False)
        return count


def leader_cut_off(split):
    """The leader alone on one side."""
    ensemble, leader, others = split.ensemble, split.leader, split.others
    before = ensemble.zxid(leader)
    ensemble.wires.stop([leader], others)
    moment = time.monotonic()
    new = ensemble.wait_leader(*others)
    took = split.wait_writes(others, "the majority")
    replaced = time.monotonic() - moment
    split.wait_no_role([leader], "the minority")
    expect(ensemble.zxid(new) >> 32 > before >> 32, "the epoch did not grow")
    split.expect_silence([leader], moment, "cut off")
    ensemble.wires.heal()
    ensemble.wait_serving(leader)
    expect_timely(ensemble.leader() == new, "the leader changed when the wires were mended")
    return f"replaced after {replaced * 1000:.0f} ms"


def follower_cut_off(split):
    """A follower alone: the others do not notice, and its return costs nobody the leader."""
    ensemble, leader, (lost, other) = split.ensemble, split.leader, split.others
    epoch = ensemble.zxid(leader) >> 32
    ensemble.wires.stop([lost], [leader, other])
    moment = time.monotonic()
    split.wait_no_role([lost], "the follower that was cut off")
    split.wait_writes([leader, other], "the majority")
    split.expect_silence([lost], moment, "cut off")
    ensemble.wires.heal()
    ensemble.wait_serving(lost)
    split.wait_writes([lost], "mended")
    expect_timely(ensemble.leader() == leader, f"the leader changed when a follower returned{ensemble.tails()}")
    expect_timely(ensemble.zxid(leader) >> 32 == epoch, "the epoch changed when a follower returned")
    return "same leader"


def everybody_alone(split):
    ensemble = split.ensemble
    ensemble.wires.stop(ensemble.ids, ensemble.ids)
    moment = time.monotonic()
    split.wait_no_role(ensemble.ids, "everybody alone")
    split.expect_silence(ensemble.ids, moment, "everybody alone")
    ensemble.wires.heal()
    begin = time.monotonic()
    split.wait_writes(ensemble.ids, "mended")
    return f"together again after {(time.monotonic() - begin) * 1000:.0f} ms"


def leader_not_heard(split):
    """What the leader says does not arrive; what the others say does."""
    ensemble, leader, others = split.ensemble, split.leader, split.others
    ensemble.wires.stop([leader], others, both=False)
    moment = time.monotonic()
    split.wait_writes(others, "without the voice of the leader")
    replaced = time.monotonic() - moment
    split.expect_silence([leader], moment, "a leader that nobody hears")
    ensemble.wires.heal()
    split.wait_writes(ensemble.ids, "mended")
    return f"replaced after {replaced * 1000:.0f} ms"


def leader_hears_nothing(split):
    """What the others say does not arrive at the leader."""
    ensemble, leader, others = split.ensemble, split.leader, split.others
    ensemble.wires.stop(others, [leader], both=False)
    moment = time.monotonic()
    split.wait_no_role([leader], "a leader that hears nothing")
    split.wait_writes(others, "without an ear of the leader")
    replaced = time.monotonic() - moment
    split.expect_silence([leader], moment, "a leader that hears nothing")
    ensemble.wires.heal()
    split.wait_writes(ensemble.ids, "mended")
    return f"replaced after {replaced * 1000:.0f} ms"


def quorum_stands_still(split):
    """Both followers are stopped as processes; then the leader and one of them."""
    ensemble = split.ensemble
    for stopped in (split.others, [split.leader, split.others[0]]):
        split.wait_writes(ensemble.ids, "before")
        stopped = list(stopped)
        rest = [id_ for id_ in ensemble.ids if id_ not in stopped]
        ensemble.pause(*stopped)
        moment = time.monotonic()
        split.wait_no_role(rest, "left alone")
        split.expect_silence(ensemble.ids, moment, "two of three stand still")
        ensemble.resume(*stopped)
        split.wait_writes(ensemble.ids, "two of three went on")
        split.leader = ensemble.wait_leader()
        split.others = [id_ for id_ in ensemble.ids if id_ != split.leader]
    return "nothing acknowledged meanwhile"


STORIES = {"leader": leader_cut_off, "follower": follower_cut_off, "alone": everybody_alone, "mute": leader_not_heard,
           "deaf": leader_hears_nothing, "still": quorum_stands_still}


def stories(kinds, leader, names):
    def check():
        told = []
        with Split(kinds, leader) as split:
            for name in names:
                split.wait_writes(split.ensemble.ids, "before")
                split.leader = split.ensemble.wait_leader()
                split.others = [id_ for id_ in split.ensemble.ids if id_ != split.leader]
                told.append(f"{name}: {STORIES[name](split)}")
            told.append(f"{split.judge()} acknowledged writes")
        return "\n".join(told)
    return check


ALL = list(STORIES)
CHECKS = [
    ("partition", "servers that do not hear each other or stand still: a minority acknowledges nothing, nothing is lost",
     stories("ccc", 3, ALL)),
    ("partition-cca", "the same in an ensemble of both kinds, ours leads: cut off", stories("acc", 3, ["leader", "follower"])),
]
LONG_CHECKS = [(f"partition-{kinds}-{leader}", "the same in other mixes", stories(kinds, leader, ALL))
               for kinds, leader in (("cca", 3), ("acc", 2), ("aac", 3), ("aca", 2), ("cac", 3))]
