#!/usr/bin/env python3
"""Before and after: compares JSON files of Google Benchmark (bench_kernels --benchmark_out=F, bench_llm --json F, bench_load --json F).

compare.py BEFORE.json[,BEFORE2.json…] AFTER.json[,AFTER2.json…] [--filter REGEX] [--changed] [--fail-above PERCENT]

A ratio is after / before of the median times: below 1 is faster. Noise is how far it may be off by chance. Repetitions inside one process
share their memory's addresses, so they agree better than two processes of one binary do: for a verdict give at least three runs a side,
taken in turns. A run then counts as one value (its median), and a side's noise is half the distance of its extremes. With fewer runs the noise
comes from the repetitions (half the width of their middle half), and the marks have a question mark.
A difference that is not twice the noise, or below 3 %, is marked `~` and says nothing. Three runs a side of one binary on a busy machine still
marked 2 or 3 of 32 benchmarks, by 3 to 5 %: only a quiet machine or more runs tell so little. With --fail-above the exit code is 1 when a benchmark
is slower by more than that, without question mark.
"""
import argparse, json, math, re, statistics, sys


ENOUGH = 3  # runs a side for a verdict


def read(paths):
    """Context of the first file; for each name a list of runs, each a list of times in ns."""
    contexts, runs = [], {}
    for path in paths.split(","):
        document = json.load(open(path))
        contexts.append(document["context"])
        times = {}
        for b in document["benchmarks"]:
            if b.get("run_type", "iteration") == "iteration" and not b.get("error_occurred"):
                scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[b.get("time_unit", "ns")]
                times.setdefault(b.get("run_name", b["name"]), []).append(b.get("cpu_time", b["real_time"]) * scale)  # kernels: one thread
        for name, values in times.items():
            runs.setdefault(name, []).append(values)
    for key in ("machine", "commit"):
        if len({c.get(key) for c in contexts}) > 1:
            print(f"WARNING: {paths}: more than one {key}")
    return contexts[0], runs


def half_width(values):
    """Of the middle half, or of all where there are few."""
    if len(values) < 6:
        return (max(values) - min(values)) / 2
    low, _, high = statistics.quantiles(values, n=4)
    return (high - low) / 2


def side(runs):
    """Median, its noise as a share, whether that is enough for a verdict."""
    medians = [statistics.median(r) for r in runs]
    middle = statistics.median(medians)
    if len(runs) >= ENOUGH:
        return middle, (max(medians) - min(medians)) / 2 / middle, True
    return middle, max(half_width(r) for r in runs) / middle, False


def compare(before, after):
    """Medians, ratio, noise of the ratio, mark."""
    (b, b_noise, b_enough), (a, a_noise, a_enough) = side(before), side(after)
    ratio, noise = a / b, math.hypot(b_noise, a_noise)
    if abs(ratio - 1) <= max(2 * noise, 0.03):
        return b, a, ratio, noise, "~"
    return b, a, ratio, noise, ("faster" if ratio < 1 else "SLOWER") + ("" if a_enough and b_enough else "?")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("before", help="one file or several, separated by commas")
    p.add_argument("after", help="the same")
    p.add_argument("--filter", default="", help="only names in which this regular expression is found")
    p.add_argument("--changed", action="store_true", help="leave out what is noise")
    p.add_argument("--fail-above", type=float, metavar="PERCENT", help="exit 1 when something is slower by more")
    a = p.parse_args()
    (was, before), (now, after) = read(a.before), read(a.after)
    for key in ("machine", "commit"):
        print(f"{key}: {was.get(key, '?')}" + (f" -> {now.get(key, '?')}" if was.get(key) != now.get(key) else ""))
    if was.get("machine") != now.get("machine"):
        print("WARNING: two different machines: the ratios say nothing about the change")
    names = [n for n in before if n in after and re.search(a.filter, n)]
    if not names:
        sys.exit("no benchmark is in both files")
    width, ratios, slower = max(map(len, names)), [], 0
    print(f"{'benchmark':{width}} {'before us':>12} {'after us':>12} {'ratio':>7} {'noise':>7}")
    for n in names:
        b, now_ns, ratio, noise, mark = compare(before[n], after[n])
        ratios.append(ratio)
        slower += mark == "SLOWER" and a.fail_above is not None and ratio > 1 + a.fail_above / 100
        if not a.changed or mark != "~":
            print(f"{n:{width}} {b / 1e3:12.2f} {now_ns / 1e3:12.2f} {ratio:7.3f} {noise:6.1%} {mark}")
    only = sorted(n for n in set(before) ^ set(after) if re.search(a.filter, n))
    print(f"geometric mean of {len(names)}: {statistics.geometric_mean(ratios):.3f}" + (f"; in one file only: {len(only)}" if only else ""))
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
