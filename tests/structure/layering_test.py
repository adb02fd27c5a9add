#!/usr/bin/env python3
"""The tree keeps its own rules (guide §1, §3): who may include whom, what the library never calls, how long a file may be."""
import pathlib, re, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROOMS = ["core", "quant", "ops", "graph", "arch", "import", "passes", "plan", "runtime", "llm"]  # a room sees itself and those before it
CPU_SEES = {"core", "quant", "ops", "cpu"}
FORBIDDEN = re.compile(r"\b(throw|try|catch|abort|exit|std::cerr|std::cout|printf|fprintf|puts|fputs|std::thread::detach|setenv|std::signal)\s*[\(;<{\s]")
ALLOWED = {("include/mainspring/result.h", "abort"), ("include/mainspring/result.h", "throw"), ("lib/core/log.cpp", "fputs"), ("lib/core/log.cpp", "fprintf")}
MAX_LINES = 600

errors = []


def code_of(text):
    """The text without comments and string literals, lines kept."""
    text = re.sub(r'R"\((.*?)\)"', lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    text = re.sub(r"'(\\.|[^'\\])'", "' '", text)
    text = re.sub(r'"(\\.|[^"\\\n])*"', '""', text)
    return re.sub(r"//[^\n]*", "", text)


def sources(*tops):
    for top in tops:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in {".h", ".cpp", ".inc", ".cu", ".cuh"}:
                yield path.relative_to(ROOT), path.read_text()


def room_of(path):
    return path.parts[1] if path.parts[0] == "lib" else path.parts[0]


n = 0
architectures = set(re.findall(r"MAINSPRING_ARCH\(\s*\w+\s*,\s*\"([^\"]+)\"", (ROOT / "lib/arch/arch.inc").read_text())) or set(
    re.findall(r"\((\w+)\)", (ROOT / "lib/arch/arch.inc").read_text()))
for path, text in sources("include", "lib", "cpu", "apps", "bench"):
    n += 1
    top, room = path.parts[0], room_of(path)
    for include in re.findall(r'^#\s*include\s+"([^"]+)"', text, flags=re.M):
        first = include.split("/")[0]
        target = first if first in ROOMS or first in {"mainspring", "cpu", "cuda", "roof", "tests", "bench"} else None
        if top in {"lib", "cpu", "include"} and target in {"tests", "bench", "roof"}:
            errors.append(f"{path} includes {include}")
        if top == "include" and target != "mainspring":
            errors.append(f"{path} includes {include}: public headers see public headers only")
        if top == "lib" and target == "cpu":
            errors.append(f"{path} includes {include}: lib/ never sees a provider")
        if top == "lib" and target in ROOMS and ROOMS.index(target) > ROOMS.index(room):
            errors.append(f"{path} includes {include}: {room} comes before {target}")
        if top == "cpu" and target in set(ROOMS) | {"cuda"} and target not in CPU_SEES:
            errors.append(f"{path} includes {include}: a provider sees core, quant, ops and ext/")
        if top == "apps" and (target in ROOMS or target in {"cpu", "cuda"}):
            errors.append(f"{path} includes {include}: hosts see public headers only")
    code = code_of(text)
    if top in {"lib", "cpu", "include"}:
        for i, line in enumerate(code.splitlines(), 1):
            for word in FORBIDDEN.findall(line):
                if (str(path), word) not in ALLOWED:
                    errors.append(f"{path}:{i}: '{word}': nothing in the library throws, aborts or prints")
    if top in {"lib", "cpu"} and room != "arch":
        for word in re.findall(r'(?:==|starts_with\(|case)\s*"([\w.-]+)"', text):
            if word in architectures and room != "llm":  # tokenizers have names too, and "gpt2" is one
                errors.append(f"{path} asks for the architecture '{word}': that knowledge lives in lib/arch")
for top in ("include", "lib", "cpu", "apps", "bench", "tests", "scripts", "cmake", "."):
    for path in sorted((ROOT / top).glob("*") if top == "." else (ROOT / top).rglob("*")):
        where = path.relative_to(ROOT)
        generated = where.parts[:2] == ("tests", "golden") or where.name == "unicode_data.inc"
        if path.is_file() and path.suffix in {".h", ".cpp", ".inc", ".cu", ".cuh", ".py", ".sh", ".cmake", ".md", ".txt"} and not generated:
            lines = path.read_text().count("\n")
            if lines > MAX_LINES:
                errors.append(f"{where} has {lines} lines, expected at most {MAX_LINES}: split it by concept")
if n < 100:
    errors.append(f"only {n} files were found under {ROOT}: the test looks at the wrong place")
print("\n".join(errors) or f"{n} files keep the rules")
sys.exit(1 if errors else 0)
