"""Our ladder and the peers', with equal bits: shared by the benches that encode."""
import math

from bench import measure, peers

CORRECTIONS = 8
SLOPES = (0.25, 2)  # how much more bits a peer can be thought to make of twice as many, in octaves


def encode(clip, work, *options, memory=False, out="out", state="state"):
    """pipelines/vod.yaml from nothing: sandboxed, published, and looked at afterwards."""
    peers.fresh(f"{work}/{state}")
    folder = peers.fresh(f"{work}/{out}")
    figures = measure.run(peers.millrace(clip.path, work, *options, out=out, state=state), memory)
    peers.check_tree(folder, clip)
    return figures


class EqualBits:
    """The bit rates that a peer is told, so that what it makes has as many bits as ours. Encoders miss what they are told, and near a ceiling they make less of
    more: it is corrected after each round, by as much as the last two runs say that it takes."""

    def __init__(self, clip, work, rungs, command):
        """command(out, targets): the peer's, whose streams come in the order of rungs."""
        self.clip, self.work, self.rungs, self.command = clip, work, rungs, command
        self.targets, self.wanted = {}, {}
        self.told, self.runs = {}, {name: [] for name, _, _ in rungs}

    def ours_is_there(self):
        self.wanted = {name: sum(path.stat().st_size for path in peers.segment_files(self.work / "out", name)[1]) for name, _, _ in self.rungs}
        if not self.targets:
            self.targets = peers.bitrates(self.work / "out")

    def run(self, memory=False):
        self.told = dict(self.targets)
        return measure.run(self.command(self.work / "one", self.targets), memory)

    def theirs(self, name):
        return peers.ffmpeg_segments(self.work / "one", [rung[0] for rung in self.rungs].index(name))

    def ours(self, name):
        return peers.segment_files(self.work / "out", name)

    def off(self):
        """For each rung: ours by theirs."""
        return {name: self.wanted[name] / sum(path.stat().st_size for path in self.theirs(name)[1]) for name, _, _ in self.rungs}

    def correct(self):
        for name, times in self.off().items():
            told, runs = self.told[name], self.runs[name]
            if not runs or runs[-1][0] != told:
                runs.append((told, self.wanted[name] / times))
            self.targets[name] = told * times ** (1 / slope(runs))

    def settle(self, within):
        """After the last round: runs the peer again, not timed, while its bits are further off. Some rates it can't be made to hit (it makes less or more, nothing
        between): then the nearest run is the one that is compared."""
        nearest = None
        for tries in range(CORRECTIONS + 1):
            worst = max(abs(times - 1) for times in self.off().values())
            if nearest is None or worst <= nearest[0]:
                nearest = (worst, self.told)
            if worst <= within:
                return
            if tries < CORRECTIONS:
                self.correct()
                self.run()
        if nearest[1] is not self.told:
            self.targets = dict(nearest[1])
            self.run()


def slope(runs):
    """What became of the last change of what was told (what was told, what was made), in octaves of one for an octave of the other."""
    if len(runs) < 2:
        return 1
    (told, made), (told_now, made_now) = runs[-2:]
    return min(max(math.log(made_now / made) / math.log(told_now / told), SLOPES[0]), SLOPES[1])
