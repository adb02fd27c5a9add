#!/usr/bin/env python3
"""Objects compiled for an instruction set hold no weak symbol (the linker may choose any copy, and hand AVX-512 code to an older
processor) and define strongly nothing but what their family's kernels.inc lists. `isa_symbols_test.py --list FILE` (guide §7)"""
import pathlib, re, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ISA = re.compile(r"cpu/kernels/(\w+)/((?:avx|amx)\w*)\.cpp\.o$")
errors, n = [], 0
for path in pathlib.Path(sys.argv[2]).read_text().split():
    match = ISA.search(path)
    if not match:
        continue
    n += 1
    family = ROOT / "cpu/kernels" / match[1]
    listed = set(re.findall(r"\w+", (family / "kernels.inc").read_text()))
    strong = 0
    for line in subprocess.run(["nm", "--defined-only", "--demangle", path], capture_output=True, text=True, check=True).stdout.splitlines():
        kind, symbol = line[17:18], line[19:]
        if kind in "wWvVu":
            errors.append(f"{path}: weak symbol {symbol}")
        elif kind in "TDRB":
            strong += 1
            name = re.sub(r"\(.*", "", symbol).split("::")[-1]
            parts = [p for p in re.split(r"_", name)]
            isa = match[2].split("_")[0]
            if isa not in name or not any("_".join(parts[i:j]) in listed for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)):
                errors.append(f"{path}: {symbol} is not in {match[1]}/kernels.inc")
    if strong == 0:
        errors.append(f"{path}: defines nothing")
if n < 5:
    errors.append(f"{n} objects of instruction sets were given, expected at least 5")
print("\n".join(errors) or f"{n} objects hold what their tables list")
sys.exit(1 if errors else 0)
