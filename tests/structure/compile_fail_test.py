#!/usr/bin/env python3
"""What must not compile does not, for the reason that its first line names, and compiles with -DCONTROL. `compile_fail_test.py CXX` (guide §9)"""
import pathlib, re, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
errors, files = [], sorted((ROOT / "tests/compile_fail").glob("*.cpp"))
for file in files:
    expected = re.match(r"// error: (.+)\n", file.read_text())
    if not expected:
        errors.append(f"{file.name}: the first line is '// error: REGEX'")
        continue
    command = [sys.argv[1], "-std=c++20", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT / 'include'}"]
    control = subprocess.run([*command, "-DCONTROL", file], capture_output=True, text=True)
    if control.returncode != 0:
        errors.append(f"{file.name}: the control does not compile\n{control.stderr}")
    broken = subprocess.run([*command, file], capture_output=True, text=True)
    said = re.findall(r"error: (.*)", broken.stderr)
    if broken.returncode == 0:
        errors.append(f"{file.name} compiles")
    elif not any(re.search(expected[1], line) for line in said):
        errors.append(f"{file.name}: no error says '{expected[1]}'\n{broken.stderr}")
if len(files) < 5:
    errors.append(f"{len(files)} files were found, expected at least 5")
print("\n".join(errors) or f"{len(files)} files do not compile, as they should not")
sys.exit(1 if errors else 0)
