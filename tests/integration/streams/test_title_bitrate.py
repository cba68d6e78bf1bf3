# SPDX-License-Identifier: MIT
"""
Whole-title bitrate: transcode.video with all chunks' analyses shares one mean out over the title. The stream is right, and its mean is what was asked for.
    test_title_bitrate.py --millrace BIN --pipeline FILE --work DIR
"""
import argparse
import json
import shutil
import sys
from pathlib import Path

import checker
import clips
import run

AVERAGE = 0.4
NEAR = 0.15  # of the wanted mean: three short chunks of a test pattern leave the encoder little room

PLAIN = '''    in: {source: inputs.source}
    with: {codec: "${params.codec}", preset: "${params.preset}"}'''
SHARED = f'''    in: {{source: inputs.source, analyses: analysis.stats}}
    with: {{preset: "${{params.preset}}", rate_control: bitrate, average: {AVERAGE}}}'''


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--work", required=True, type=Path)
    options = parser.parse_args()
    options.param = []
    shutil.rmtree(options.work, ignore_errors=True)
    source = clips.make("plain.mp4", options.work / "clips")
    text = Path(options.pipeline).read_text()
    if PLAIN not in text:
        sys.exit(f"{options.pipeline} no longer holds the lines that this test changes")
    pipeline = options.work / "title-bitrate.yaml"
    pipeline.write_text(text.replace(PLAIN, SHARED))
    options.pipeline = str(pipeline)
    tree = options.work / "tree"
    done = run.millrace(options, source, tree)
    if done.returncode != 0:
        sys.exit(f"millrace run failed: {done.stderr}")
    problems = checker.check_stream(source, tree, checker.Expect(audio=1))
    for made in json.loads((tree / "run.json").read_text())["renditions"]:
        name = made["rendition"].split("/")[1]
        if name in run.CEILINGS:
            wanted = AVERAGE * run.CEILINGS[name]
            print(f"{name}: {made['average_bitrate']} bit/s, {wanted:.0f} wanted")
            if abs(made["average_bitrate"] - wanted) > NEAR * wanted:
                problems.append(f"{name}: the mean is {made['average_bitrate']} bit/s, {wanted:.0f} was asked for")
    print("\n".join(problems) or "right")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
