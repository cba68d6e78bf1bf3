"""package: encoded media to HLS and DASH without encoding. In memory, against copying the file, copying and hashing it, FFmpeg and Shaka Packager; on a disk, against
a copy that is synced. Ours hashes what it moves: the copy alone is the harder yardstick, the hashed one does what is comparable."""
from bench import clips, measure, peers

SOURCE_BYTES = 1e9
QUICK_BYTES = 100e6


def with_pages(work, size, sides):
    """Each side behind a file of three times the source, written and removed: a virtual machine gives memory that nobody uses back to its host, and who touches it
    first pays several times what the next one does."""
    def after_touching(run):
        def touched():
            with open(work / "pages", "wb") as file:
                for _ in range(3 * size >> 20):
                    file.write(bytes(1 << 20))
            (work / "pages").unlink()
            return run()
        return touched

    return {name: after_touching(run) for name, run in sides.items()}


def package(s):
    short = s.excerpt()
    times = (QUICK_BYTES if s.options.quick else SOURCE_BYTES) / short.path.stat().st_size
    clip = clips.looped(short, short.seconds * times)
    s.note(f"{clip.path.stat().st_size / 1e6:.0f} MB, {clip.seconds / 60:.0f} min of video")
    with s.work(memory=True) as work:
        source = work / "source.mp4"
        source.write_bytes(clip.path.read_bytes())

        def ours(link):
            def run():
                peers.fresh(work / "state")
                out = peers.fresh(work / "out")
                figures = measure.run(peers.millrace(source, work, "--param", f"link={link}", pipeline="remux.yaml"))
                peers.check_tree(out, clip)
                for path in (work / "state", out):
                    peers.fresh(path)
                return figures
            return run

        def copy():
            (work / "copy").unlink(missing_ok=True)
            return measure.run(["cp", source, work / "copy"])

        def hashed_copy():
            return copy().after(measure.run(["openssl", "dgst", "-sha256", work / "copy"]))

        def ffmpeg():
            out = peers.fresh(work / "one")
            out.mkdir()
            return measure.run([peers.FFMPEG, "-v", "error", "-nostdin", "-y", "-i", source, "-map", "0", "-c", "copy", *peers.packaging(out, clip.channels)])

        sides = {"millrace": ours("true"), "cp": copy, "cp, then openssl dgst": hashed_copy, "ffmpeg -c copy": ffmpeg,
                 "Shaka Packager": lambda: measure.run(peers.shaka(source, work / "shaka", clip.channels)),
                 "millrace, copies": ours("false")}
        rounds = s.alternate("in memory", with_pages(work, source.stat().st_size, sides))
        s.ratio(rounds, "cp", least=2.0, aim=1.5)
        s.ratio(rounds, "cp, then openssl dgst", least=2.0, aim=1.5)
        s.ratio(rounds, "cp", one="millrace, copies", label="wall, without links")
        s.ratio(rounds, "ffmpeg -c copy")
        s.ratio(rounds, "Shaka Packager")
    with s.work() as work:
        source = clip.path

        def synced_copy():
            (work / "copy").unlink(missing_ok=True)
            return measure.run(["dd", f"if={source}", f"of={work}/copy", "bs=1M", "conv=fsync"])

        rounds = s.alternate("on disk", {"millrace": ours("true"), "dd conv=fsync": synced_copy}, warm=True)
        s.ratio(rounds, "dd conv=fsync", label="wall, on disk")
