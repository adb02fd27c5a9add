#!/usr/bin/env python3
"""The driver finds what is wrong, keeps the input, and repeats itself. `driver_test.py FUZZ_SELFTEST`"""
import pathlib, re, subprocess, sys, tempfile

SELFTEST = sys.argv[1]
errors = []


def expect(what, ok, said=""):
    if not ok:
        errors.append(f"{what}\n{said}")


def run(*args):
    done = subprocess.run([SELFTEST, *map(str, args)], capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    seeds, found = folder / "seeds", folder / "found"
    seeds.mkdir()
    (seeds / "a").write_bytes(b"hello, world")
    for kind, sign in {"1": "signal Aborted", "2": "a hang", "3": "signal Aborted|more than 256 MiB", "4": "signal Segmentation fault|exit status 1", "5": "exit status 7", "6": "exit status 0"}.items():
        (folder / "bug").write_bytes(b"BUG" + kind.encode() + b" and more")
        code, said = run("--hang", 1, "--memory", 256, "--found", found / kind, folder / "bug")
        kept = list((found / kind).glob("*"))
        expect(f"BUG{kind}: {code}, expected 1 and '{sign}'", code == 1 and re.search(sign, said), said)
        expect(f"BUG{kind}: the input was not kept", len(kept) == 1 and kept[0].read_bytes() == (folder / "bug").read_bytes(), said)
    code, said = run(seeds / "a")
    expect("an input without a bug fails", code == 0, said)

    # Four bytes in a row are found by their steps through the code, not by luck: 2^32 tries would not be made in 60 s.
    code, said = run("--seconds", 60, "--hang", 1, "--memory", 256, "--found", found / "any", seeds)
    kept = list((found / "any").glob("*"))
    expect("60 s did not find the bug", code == 1 and len(kept) == 1 and re.match(rb"BUG[1-6]", kept[0].read_bytes()), said)
    seed = re.search(r"--seed (\d+)", said)
    code, again = run("--seconds", 60, "--hang", 1, "--memory", 256, "--found", found / "again", "--seed", seed[1], seeds)
    expect("the same seed does not find the same input", [f.name for f in (found / "again").glob("*")] == [f.name for f in kept], again)

    hashes = [re.search(r"inputs (\w+)", run("--runs", 300, "--seed", s, seeds)[1])[1] for s in (5, 5, 6)]
    expect(f"hashes of the inputs by seeds 5, 5, 6: {hashes}", hashes[0] == hashes[1] != hashes[2])
    for bad in ([], ["--seed", "x", seeds], ["--unknown", "1", seeds], [folder / "none"]):
        expect(f"{bad} is no call", run(*bad)[0] == 2)
print("\n".join(errors) or "the driver finds what is broken")
sys.exit(1 if errors else 0)
