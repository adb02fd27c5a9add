#!/usr/bin/env python3
"""Before and after: compares two JSON files of Google Benchmark (bench_kernels --benchmark_out=F, bench_llm --json F, bench_load --json F).

compare.py BEFORE.json AFTER.json [--filter REGEX] [--changed] [--fail-above PERCENT]

A ratio is after / before of the median times: below 1 is faster. Noise is how far the medians may be off by chance: of each side the
half-width of the middle half of its repetitions, as a share of the median. A difference that is not twice the noise, or below 3 %, is
marked `~` and says nothing: two runs of one binary differ by up to 2 %, for where their memory lies, however steady each is. With --fail-above the exit code is 1 when a benchmark is slower by more than that and it is no noise.
"""
import argparse, json, math, re, statistics, sys


def read(path):
    document = json.load(open(path))
    times = {}
    for b in document["benchmarks"]:
        if b.get("run_type", "iteration") == "iteration" and not b.get("error_occurred"):
            scale = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[b.get("time_unit", "ns")]
            times.setdefault(b.get("run_name", b["name"]), []).append(b.get("cpu_time", b["real_time"]) * scale)  # kernels: one thread
    return document["context"], times


def spread(times):
    if len(times) < 4:
        return (max(times) - min(times)) / 2 / statistics.median(times)
    low, _, high = statistics.quantiles(times, n=4)
    return (high - low) / 2 / statistics.median(times)


def compare(before, after):
    """Ratio, noise of the ratio, mark."""
    ratio = statistics.median(after) / statistics.median(before)
    noise = math.hypot(spread(before), spread(after))
    few = min(len(before), len(after)) < 3
    certain = not few and abs(ratio - 1) > max(2 * noise, 0.03)
    return ratio, noise, "?" if few else "~" if not certain else "faster" if ratio < 1 else "SLOWER"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("before")
    p.add_argument("after")
    p.add_argument("--filter", default="", help="only names that this regular expression finds")
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
        ratio, noise, mark = compare(before[n], after[n])
        ratios.append(ratio)
        slower += mark == "SLOWER" and a.fail_above is not None and ratio > 1 + a.fail_above / 100
        if not a.changed or mark in ("faster", "SLOWER"):
            print(f"{n:{width}} {statistics.median(before[n]) / 1e3:12.2f} {statistics.median(after[n]) / 1e3:12.2f} {ratio:7.3f} {noise:6.1%} {mark}")
    only = sorted(n for n in set(before) ^ set(after) if re.search(a.filter, n))
    print(f"geometric mean of {len(names)}: {statistics.geometric_mean(ratios):.3f}" + (f"; in one file only: {len(only)}" if only else ""))
    sys.exit(1 if slower else 0)


if __name__ == "__main__":
    main()
