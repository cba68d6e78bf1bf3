"""sandbox: what task hosts cost: CPU seconds of pipelines/vod.yaml with the sandbox, against the same with `sandbox: off`."""
from bench import ladders


def sandbox(s):
    clip = s.long_clip()  # in seconds of encoding what two slots do to each other's caches weighs more than what hosts cost
    with s.work() as work:
        sides = {name: lambda setting=setting: ladders.encode(clip, work, "--param", "preset=veryfast", "--set", f"sandbox={setting}")
                 for name, setting in (("millrace", "auto"), ("sandbox off", "off"))}
        rounds = s.alternate(clip.name, sides, warm=True)
    s.ratio(rounds, "sandbox off", "cpu")
    s.ratio(rounds, "sandbox off")
