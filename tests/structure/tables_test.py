#!/usr/bin/env python3
"""The tables of extension points (*.inc) say what there is: each line has its file (an operator its test too), each file has its line (guide §0.4, §7)."""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
errors = []


def table(path, macro):
    """First arguments of the macro's lines; a table without repeated or malformed lines."""
    text = re.sub(r"//[^\n]*", "", (ROOT / path).read_text())
    text = re.sub(r'#include "(\S+)"', lambda m: re.sub(r"//[^\n]*", "", (ROOT / "lib" / m[1]).read_text()), text)  # a table may have a file for each room
    names = re.findall(macro + r"\((\w+)[,)]", text)
    if not names or len(names) != len([line for line in text.splitlines() if line.strip()]):
        errors.append(f"{path}: {len(names)} lines of {macro} among other text")
    return names


def same(what, listed, found):
    for name in sorted(set(listed) - set(found)):
        errors.append(f"{what}: '{name}' is listed and has no file")
    for name in sorted(set(found) - set(listed)):
        errors.append(f"{what}: '{name}' has a file and is not listed")
    for name in sorted({n for n in listed if listed.count(n) > 1}):
        errors.append(f"{what}: '{name}' is listed twice")


def text_of(folder, pattern="*.cpp"):
    return {str(path.relative_to(ROOT / folder)): path.read_text() for path in sorted((ROOT / folder).rglob(pattern))}


# Operators: defined once in lib/ops, with a case in tests/ops; a binder binds an operator that exists.
ops = table("lib/ops/ops.inc", "MAINSPRING_OP")
defined = [name for text in text_of("lib/ops").values() for name in re.findall(r"\bconst OpDef op_(\w+)\s*[{=]", text)]
same("lib/ops/ops.inc", ops, defined)
tests = "".join(text_of("tests/ops").values())
for op in ops:
    if op[0].isupper() or op.startswith(("ms_", "ml_")):  # ONNX's own tests are their cases: tests/onnx
        continue
    if not re.search(rf'"{op}"', tests):
        errors.append(f"tests/ops has no case of '{op}'")
table("cpu/binders.inc", "MAINSPRING_CPU_BINDER")
functions = "".join(text_of("cpu/bind").values())
for op, function in re.findall(r"^MAINSPRING_CPU_BINDER\((\w+), (\w+)\)", (ROOT / "cpu/binders.inc").read_text(), flags=re.M):
    if op not in ops:
        errors.append(f"cpu/binders.inc binds '{op}', which is no operator")
    if not re.search(rf"\bResult<KernelBinding> {function}\(", functions):
        errors.append(f"cpu/binders.inc: {function} is not defined in cpu/bind")

# Architectures: arch_<name> in <name>.cpp, one a file, each with a GGUF name of its own.
architectures = table("lib/arch/arch.inc", "MAINSPRING_ARCH")
files = text_of("lib/arch")
defined = {name[:-4]: re.findall(r"^(?:constinit )?const Arch arch_(\w+)\s*[{=]", text, flags=re.M) for name, text in files.items()}
same("lib/arch/arch.inc", architectures, [name for name, archs in defined.items() if archs])
names = {}
for file, archs in defined.items():
    if archs and archs != [file]:
        errors.append(f"lib/arch/{file}.cpp defines {archs}, expected arch_{file} alone")
    for gguf in re.findall(r'\.name = "([^"]+)"', files[file + ".cpp"])[:1] if archs else []:
        if gguf in names:
            errors.append(f"'{gguf}' is the GGUF name of both {names[gguf]}.cpp and {file}.cpp")
        names[gguf] = file
if set(names.values()) != set(architectures):
    errors.append(f"lib/arch: no GGUF name was found in {sorted(set(architectures) - set(names.values()))}")

# Passes: <name>.cpp; formats: a decoder; kernels: a file for each instruction set in the table.
same("lib/passes/passes.inc", table("lib/passes/passes.inc", "MAINSPRING_PASS"), [n[:-4] for n in text_of("lib/passes") if n not in ("passes.cpp", "rewrite.cpp")])  # those two run and write passes
quant = "".join(text_of("lib/quant", "*.*").values())
for name in table("lib/quant/formats.inc", "MAINSPRING_BLOCK_FORMAT"):
    if not re.search(rf"\bdecode_{name}\(|decode_##", quant):
        errors.append(f"lib/quant/formats.inc: decode_{name} is not defined")
families = sorted((ROOT / "cpu/kernels").iterdir())
for family in families:
    path = family / "kernels.inc"
    listed = re.findall(r"^MAINSPRING_\w+\((\w+)", path.read_text(), flags=re.M)
    found = {re.match(r"(scalar|avx[0-9a-z]*|amx[0-9a-z]*|neon[0-9a-z]*|sve[0-9a-z]*)[._]", f.name) for f in family.glob("*.cpp")}
    same(f"cpu/kernels/{family.name}/kernels.inc", sorted(set(listed)), {m[1] for m in found if m})
    if listed and listed[-1] != "scalar":
        errors.append(f"{path}: the last line is {listed[-1]}, expected scalar, which runs everywhere")
if len(ops) < 40 or len(architectures) < 80 or len(families) < 7:
    errors.append(f"{len(ops)} operators, {len(architectures)} architectures, {len(families)} families: the test looks at the wrong place")
print("\n".join(errors) or f"{len(ops)} operators, {len(architectures)} architectures and {len(families)} families of kernels are where their tables say")
sys.exit(1 if errors else 0)
