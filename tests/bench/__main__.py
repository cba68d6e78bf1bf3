"""./dev bench [NAME…]: measures Millrace against its peers, and parts of it against themselves.

Without a name: the main set; `all`: the rest too. Rounds of ours and theirs alternate (A B, B A, …): --rounds of them, and more until the ratios vary by
no more than --spread or there are --limit. Results: build/bench/NAME.json and build/bench/bench.svg; with --write-docs also docs/performance.*.
Nothing else should run on the machine. FFMPEG names another build of FFmpeg, X264 of x264, MILLRACE_BUILD the build folder (build)."""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from bench import catalogue, docs, measure, peers, report, session

RESULTS = peers.BUILD / "bench"


def parse(words):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="the benches there are")
    parser.add_argument("--rounds", type=int, help="at least (3)")
    parser.add_argument("--limit", type=int, help="rounds at most (two more than --rounds)")
    parser.add_argument("--spread", type=float, default=3.0, metavar="PERCENT", help="of the ratios that is good enough (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="one round, short clips, fewer peers: to see where one stands")
    parser.add_argument("--clip", type=pathlib.Path, help="measure on this instead of the bench clips")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()), help="where what is made lies meanwhile (%(default)s)")
    parser.add_argument("--write-docs", action="store_true", help="write the tables of docs/performance.md from all results that there are; alone: without measuring")
    options = parser.parse_args(words)
    options.rounds = options.rounds or (1 if options.quick else 3)
    options.limit = max(options.limit or options.rounds + (0 if options.quick else 2), options.rounds)
    unknown = [name for name in options.names if name not in catalogue.BY_NAME and name != "all"]
    if unknown:
        parser.error(f"unknown bench '{unknown[0]}'; there are: {', '.join(catalogue.BY_NAME)}")
    if options.clip:
        if not options.clip.is_file():
            parser.error(f"there is no file {options.clip}")
        options.clip = options.clip.resolve()
    return options


def chosen(options):
    if "all" in options.names:
        return catalogue.ALL
    if options.names:
        return [catalogue.BY_NAME[name] for name in options.names]
    return [] if options.write_docs else [one for one in catalogue.ALL if one.main]


def estimate(bench, options):
    """Seconds; from the last time, where there was one."""
    once, each = bench.once_s, bench.round_s
    earlier = report.read_json(RESULTS / f"{bench.name}.json")
    if earlier and earlier["seconds"]["count"] and earlier["options"]["quick"] == options.quick:
        each = earlier["seconds"]["rounds"] / earlier["seconds"]["count"]
        once = earlier["seconds"]["all"] - earlier["seconds"]["rounds"]
    elif options.quick:
        once, each = once / 3, each / 3
    return once + each * options.rounds


def measure_one(bench, options, versions):
    """Whether it came to its end. What was found until then is kept, apart."""
    print(f"== {bench.name}: {bench.what}", flush=True)
    run = session.Session(bench.name, options)
    complete = False
    try:
        bench.run(run)
        complete = True
    except (measure.CommandFailed, OSError, ValueError, subprocess.SubprocessError) as error:
        if not isinstance(error, measure.CommandFailed):
            traceback.print_exc()
        print(f"bench: {bench.name} failed: {error}", file=sys.stderr)
    finally:
        incomplete = RESULTS / f"{bench.name}.incomplete.json"
        incomplete.unlink(missing_ok=True)
        report.write_json(RESULTS / f"{bench.name}.json" if complete else incomplete, run.result(versions, complete))
    print(f"  ({time.monotonic() - run.began:.0f} s)", flush=True)
    return complete


def plot_all():
    """Of all results that there are, whenever they were made."""
    results = [report.read_json(RESULTS / f"{name}.json") for name in catalogue.BY_NAME]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "bench.svg").write_text(docs.plot([row for result in results if result for row in result["rows"]]), encoding="utf-8")


def main():
    options = parse(sys.argv[1:])
    if options.list:
        for one in catalogue.ALL:
            print(f"{one.name:18} {one.what}{'' if one.main else ' (not in the main set)'}")
        return 0
    benches, good = chosen(options), True
    measure.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if benches:
        versions = peers.versions()
        for name, text in versions.items():
            print(f"{name}: {text}")
        load = os.getloadavg()[0]
        rest = "" if load <= 0.5 else ": not at rest, the numbers will be worth little"
        print(f"machine: {report.machine()['cpus']} x {report.machine()['model']}, load {load:.1f}{rest}")
        print(f"{len(benches)} benches take about {sum(estimate(one, options) for one in benches) / 60:.0f} min, more where the numbers vary", flush=True)
    try:
        for bench in benches:
            good = measure_one(bench, options, versions) and good
    except KeyboardInterrupt:
        print("bench: interrupted; the results so far are in build/bench", file=sys.stderr)
        return 130
    finally:
        plot_all()
    if options.write_docs:
        docs.write(RESULTS)
        print("written: docs/performance.md, .json, .svg")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
