"""The measuring itself: what is counted, how rounds alternate and settle, what logs and playlists say, and that the tables of docs/performance.md are made, not
written. Nothing here depends on how fast the machine is."""
import argparse
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from bench import __main__ as command
from bench import catalogue, docs, ladders, measure, peers, quality, report, session
from bench.benches import fleet, rate_control

CPU_S = 0.2
BURN = f"import time\nwhile time.process_time() < {CPU_S}: pass"


def options(**words):
    return argparse.Namespace(**{"rounds": 2, "limit": 4, "spread": 3.0, "quick": False, "clip": None, "work": pathlib.Path(tempfile.gettempdir()), **words})


class Fleet(unittest.TestCase):
    def test_many_videos_for_few_executors(self):
        costs = {"probe": 0.1, "plan": 0.001, "decode": 0.1, "analyse": 0.1, "audio": 0.1, "poster": 0.3, "storyboard": 0.01, "rungs": [1.0, 0.5, 0.25, 0.125]}
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "costs.json"
            file.write_text(json.dumps(costs))
            found = fleet.simulate(file, 4, 30, 10, 5.0)  # all slots are taken when most of them begin: what is urgent has a worker more
        self.assertEqual(found["videos"], 10)
        self.assertGreater(found["busy"], 0.9)
        self.assertLess(found["playable_s"]["median"] * 3, found["complete_s"]["median"])


class Statistics(unittest.TestCase):
    def test_spread(self):
        self.assertEqual(measure.spread([2.0]), 0)
        self.assertAlmostEqual(measure.spread([0.9, 1.0, 1.1]), 0.2)
        self.assertAlmostEqual(measure.spread([0.1, 0.9, 1.0, 1.1, 9.0]), 0.2)  # of five, one at either end does not count

    def test_interval(self):
        self.assertEqual(measure.interval([6, 1, 5, 2, 4, 3]), (1, 6))
        self.assertEqual(measure.interval(range(20)), (5, 14))  # as in tables of the sign test
        self.assertRaises(ValueError, measure.interval, [1, 2, 3, 4, 5])

    def test_ratios_are_of_pairs(self):
        rounds = measure.Rounds("", ["a", "b"])
        rounds.sides = {"a": [measure.Figures(1, 3), measure.Figures(2, 3)], "b": [measure.Figures(2, 1), measure.Figures(8, 6)]}
        self.assertEqual(rounds.ratios("a", "b"), [0.5, 0.25])
        self.assertEqual(rounds.ratios("a", "b", "cpu"), [3, 0.5])

    def alternate(self, walls, least, most):
        order, walls = [], iter(walls)

        def side(name):
            order.append(name)
            return measure.Figures(next(walls) if name == "a" else 1.0)

        rounds = measure.Rounds("", ["a", "b"])
        measure.alternate(rounds, {name: lambda name=name: side(name) for name in "ab"}, least, most)
        return "".join(order)

    def test_rounds_alternate_until_they_settle(self):
        self.assertEqual(self.alternate([1, 1, 1], 3, 5), "abbaab")
        self.assertEqual(self.alternate([1, 2, 1, 1, 1], 2, 5), "abbaabbaab")  # the one that differs falls out of five
        self.assertEqual(self.alternate([1, 2, 1], 2, 3), "abbaab")

    def test_verdicts(self):
        self.assertEqual([report.verdict(value, 0.85, 0.77, False) for value in (0.7, 0.77, 0.8, 0.86)], ["aim", "aim", "met", "missed"])
        self.assertEqual([report.verdict(value, 1.9, 1.95, True) for value in (1.96, 1.9, 1.8)], ["aim", "met", "missed"])
        self.assertEqual(report.verdict(1, None, None, False), "")

    def test_bd_rate(self):
        twice = rate_control.more_bits([(200, 30), (400, 40)], [(100, 30), (200, 40)])
        self.assertAlmostEqual(twice, 1.0)
        self.assertTrue(math.isnan(rate_control.more_bits([(1, 1), (2, 2)], [(1, 3), (2, 4)])))


class Commands(unittest.TestCase):
    def test_what_a_grandchild_uses_counts(self):
        child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"
        self.assertGreaterEqual(measure.run([sys.executable, "-c", child]).cpu, CPU_S)

    def test_beside_each_other(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.assertRaises(ValueError, measure.beside, [["true"], ["true"]])
            return
        child = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BURN!r}])"
        busy, idle = measure.beside([[sys.executable, "-c", child], ["true"]])
        self.assertGreaterEqual(busy.cpu, CPU_S)
        self.assertLess(idle.cpu, CPU_S)
        self.assertRaises(measure.CommandFailed, measure.beside, [["false"], ["true"]])

    def test_what_is_left_behind_counts(self):
        program = f"from bench import measure\nmeasure.adopt_orphans()\nprint(measure.run(['sh', '-c', '\"$0\" -c \"$1\" & exit 0', {sys.executable!r}, {BURN!r}]).cpu)"
        done = subprocess.run([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE, check=True)
        self.assertGreaterEqual(float(done.stdout), CPU_S)

    def test_the_tree_and_its_memory(self):
        with subprocess.Popen(["sh", "-c", "cat; true"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
            shell.stdin.write(b"x")
            shell.stdin.flush()
            shell.stdout.read(1)  # so cat is there
            found = measure.descendants(os.getpid())
            self.assertIn(shell.pid, found)
            self.assertGreater(len(measure.descendants(shell.pid)), 1)
            self.assertGreater(measure.proportional(found), measure.proportional([os.getpid()]))
            self.assertGreaterEqual(measure.resident(found), measure.proportional(found))
            shell.stdin.close()

    def test_failures_say_what_was_said(self):
        with self.assertRaisesRegex(measure.CommandFailed, "exit code 3\nno such luck"):
            measure.run(["sh", "-c", "echo no such luck >&2; exit 3"])

    def test_until(self):
        with tempfile.TemporaryDirectory() as work:
            there = pathlib.Path(work, "there")
            figures = measure.run(["sh", "-c", f"touch {there}; exec cat /dev/zero"], until=lambda _: there.exists())
            self.assertGreater(figures.wall, 0)
            with self.assertRaises(measure.CommandFailed):
                measure.run(["true"], until=lambda _: False)


class Peer(ladders.EqualBits):
    """Makes bits of what it is told by a rule, instead of running."""

    def __init__(self, wanted, rule):
        super().__init__(None, None, [("240p", 240, 0)], None)
        self.wanted, self.targets, self.rule, self.count = {"240p": wanted}, {"240p": wanted}, rule, 0

    def run(self, memory=False):
        self.count += 1
        self.told = dict(self.targets)

    def off(self):
        return {"240p": self.wanted["240p"] / self.rule(self.told["240p"])}


class EqualBits(unittest.TestCase):
    def test_peers_come_near(self):
        for rule in (lambda told: 1.1 * told, lambda told: 900 * (told / 1000) ** 0.3, lambda told: 1200 * (told / 1000) ** 1.8):
            peer = Peer(1000, rule)
            peer.run()
            peer.correct()
            peer.settle(0.001)
            self.assertAlmostEqual(peer.off()["240p"], 1, delta=0.001)
            self.assertLess(peer.count, 6)

    def test_a_run_is_corrected_once(self):
        peer = Peer(1000, lambda told: 0.9 * told)
        peer.run()
        peer.correct()
        once = dict(peer.targets)
        peer.correct()
        self.assertEqual(peer.targets, once)

    def test_what_can_not_be_reached_ends(self):
        peer = Peer(1000, lambda told: min(told, 800))
        peer.run()
        peer.settle(0.02)
        self.assertEqual(peer.count, 1 + ladders.CORRECTIONS)

    def test_the_nearest_is_compared(self):
        peer = Peer(1000, lambda told: 980 if told < 1010 else 1100)  # less or more, nothing between
        peer.run()
        peer.settle(0.01)
        self.assertAlmostEqual(peer.off()["240p"], 1000 / 980)


class Logs(unittest.TestCase):
    def test_quality(self):
        self.assertEqual(quality.read_psnr("n:1 mse_avg:0.68 psnr_avg:49.78 psnr_y:48.77 psnr_u:53.1\nn:2 mse_avg:0 psnr_avg:inf psnr_y:inf psnr_u:inf\n"), [48.77, 60.0])
        self.assertEqual(quality.read_ssim("n:1 Y:0.987 U:0.99 V:0.98 All:0.98 (19.1)\nn:2 Y:1.000000 U:1.0 V:1.0 All:1.0 (inf)\n"), [0.987, 1.0])
        self.assertEqual(quality.read_vmaf('{"frames": [{"frameNum": 0, "metrics": {"vmaf": 95.5}}]}'), [95.5])
        self.assertEqual(quality.summary([float(value) for value in range(101)]), {"mean": 50.0, "p5": 5.0})

    def test_bit_rates_of_a_tree(self):
        with tempfile.TemporaryDirectory() as out:
            folder = pathlib.Path(out, "video", "240p")
            folder.mkdir(parents=True)
            (folder / "index.m3u8").write_text('#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:4.000000,\n0.m4s\n#EXTINF:1.000000,\n#EXT-X-PROGRAM-DATE-TIME:x\n1.m4s\n', encoding="utf-8")
            for name, size in (("init.mp4", 7), ("0.m4s", 400), ("1.m4s", 100)):
                (folder / name).write_bytes(bytes(size))
            self.assertEqual(peers.bitrates(out), {"240p": 800.0})
            init, segments = peers.segment_files(out, "240p")
            self.assertEqual(peers.joined(init, segments, folder / "all.mp4").stat().st_size, 507)


class Results(unittest.TestCase):
    def test_what_was_found_before_an_interruption_is_kept(self):
        def run(s):
            s.row("first", [1.0, 1.1], unit="s")
            raise KeyboardInterrupt

        bench = catalogue.Bench("some", "a bench", run, 0, 0)
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(command, "RESULTS", pathlib.Path(folder)), mock.patch("builtins.print"):
            with self.assertRaises(KeyboardInterrupt):
                command.measure_one(bench, options(), {})
            kept = json.loads(pathlib.Path(folder, "some.incomplete.json").read_text(encoding="utf-8"))
            self.assertEqual([row["what"] for row in kept["rows"]], ["first"])
            self.assertFalse(pathlib.Path(folder, "some.json").exists())

    def test_a_result_becomes_tables(self):
        run = session.Session("package", options())
        with mock.patch("builtins.print"):
            run.row("wall", [1.8, 1.9], against="cp", least=2.0, aim=1.5)
            run.row("seconds", [0.5], unit="s")
        run.quality.append({"label": "", "clip": "c", "rung": "240p", **{side: {"bitrate": 1000, "psnr": {"mean": 40, "p5": 30}, "ssim": {"mean": 1, "p5": 0.9}}
                                                                         for side in ("ours", "peer")}})
        with tempfile.TemporaryDirectory() as folder:
            report.write_json(pathlib.Path(folder, "package.json"), run.result({"millrace": "1"}, complete=True))
            results = docs.condensed(pathlib.Path(folder), None)
            self.assertEqual(docs.condensed(pathlib.Path(folder, "none"), results), results)  # what is not measured again stays
        text = "".join(f"<!-- bench: {name} -->\nold\n<!-- end: {name} -->\n" for name in docs.BLOCKS)
        page = docs.page(text, results)
        self.assertIn("| `package` | wall : cp | 1.850 |", page)
        self.assertIn("| ≤ 2.000 | 1.500 | met |", page)
        self.assertNotIn("old", page)
        self.assertEqual(docs.page(page, results), page)
        self.assertIn("<svg", docs.plot(docs.all_rows(results)))
        with self.assertRaises(ValueError):
            docs.page("", results)

    def test_the_docs_are_made(self):
        self.assertEqual(docs.differences(), [])


if __name__ == "__main__":
    unittest.main()
