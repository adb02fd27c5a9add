#!/usr/bin/env python3
"""What the library's archive asks of its host, and what it brings along. `library_symbols_test.py LIBMAINSPRING.A` (guide §3)

It ends no process, prints nothing and throws nothing of its own; it defines nothing outside its namespaces."""
import collections, pathlib, re, subprocess, sys

# What nothing in the library refers to. Other than by these, code can end the process or speak only through a system call of its own.
FORBIDDEN = re.compile(
    r"_?_?(abort|exit|_exit|_Exit|quick_exit|at_quick_exit|raise|kill|signal|sigaction|longjmp|siglongjmp|pthread_exit|pthread_kill"
    r"|__assert_fail|__assert_rtn|v?f?d?printf(_chk)?|perror|psignal|puts|fputs|putc|fputc|putchar|fwrite|write|writev|vsyslog|syslog"
    r"|stdout|stderr|stdin|fork|vfork|system|popen|exec\w+|posix_spawnp?|setenv|putenv|unsetenv|setlocale|chdir|umask|srand|rand"
    r"|_ZSt9terminatev|_ZSt10unexpectedv|_ZSt4c(out|err|log|in)|_ZNSt8ios_base4Init\w+|__cxa_throw|__cxa_rethrow|__cxa_begin_catch|__gxx_personality_v0|__clang_call_terminate)")
# Each exception: the object, the symbol, why.
ALLOWED = {
    ("log.cpp", "stderr"): "MAINSPRING_LOG=1, a developer's switch, writes to stderr where the host has given no sink (context.h)",
    ("log.cpp", "fwrite"): "the same",
    ("file.cpp", "write"): "replace_file writes the plan cache, into the folder that the host named",
}
# What may end the process all the same, and is not to be had otherwise: operator new and libstdc++'s __throw_* (bad_alloc, length_error,
# out_of_range, …), where small bookkeeping by the STL finds no memory; context.h says so. And __cxa_pure_virtual, which no call reaches.
#
# Definitions: strong ones in mainspring:: alone. Weak ones also of templates of std and __gnu_cxx, which every C++ object brings and any linker
# merges; of simdjson::dom, inline accessors that are noexcept and the same with and without exceptions; of fmt, under a name of our own (cmake/Dependencies.cmake), so that a host's other fmt, or the same with exceptions, is not met.
WEAK_ROOTS = {"mainspring", "std", "__gnu_cxx", "simdjson", "fmt::mainspring"}


def scope(mangled):
    """The outermost namespace (two of them for fmt) of a mangled name; the name itself for one of C."""
    s = mangled
    if not s.startswith("_Z"):
        return s
    s = re.sub(r"^_Z(T[VTIS]|GV|GR|TW|TH|T[hv]n?\d*_(n?\d+_)?)?", "", s)
    while s.startswith("Z"):  # an entity of a function
        s = s[1:]
    nested = s.startswith("N")
    if nested:
        s = re.sub(r"^[rVKRO]*", "", s[1:])
    if s.startswith(("St", "Sa", "Ss", "Sb", "Si", "So", "Sd")):
        return "std"
    names = []
    while nested or not names:
        m = re.match(r"L?(\d+)", s)
        if not m:
            break
        end = m.end() + int(m[1])
        names.append(s[m.end():end])
        s = s[end:]
    if not nested or not names:
        return "::" + (names[0] if names else mangled)
    return "fmt::mainspring" if names[0] == "fmt" and len(names) > 1 and names[1].startswith("mainspring") else names[0]


def symbols(option):
    """(object, kind, name) of the archive."""
    out = subprocess.run(["nm", "--print-file-name", option, sys.argv[1]], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        match = re.match(r"[^:]*:([^:]+)\.o:[0-9a-f ]*\s(\w) (\S+)", line)
        if match:
            yield match[1], match[2], match[3]


errors, n_undefined, n_defined, used = [], 0, 0, set()
for object_, kind, name in symbols("--undefined-only"):
    n_undefined += 1
    if not FORBIDDEN.fullmatch(name.split("@")[0]):
        continue
    used.add((object_, name))
    if (object_, name) not in ALLOWED:
        errors.append(f"{object_} refers to {name}")
errors += [f"the exception for {name} in {object_} is not needed" for object_, name in sorted(set(ALLOWED) - used)]
foreign = collections.defaultdict(set)
for object_, kind, name in symbols("--defined-only"):
    if kind.islower() and kind not in "wvu":
        continue  # local
    n_defined += 1
    root = scope(name)
    if root not in (WEAK_ROOTS if kind in "WVwvu" else {"mainspring"}):
        foreign[f"{'weak' if kind in 'WVwvu' else 'strong'} {root}"].add(f"{object_}: {name}")
for root, where in sorted(foreign.items()):
    errors.append(f"{len(where)} definitions of {root}, as {sorted(where)[0]}")
if n_undefined < 500 or n_defined < 500:
    errors.append(f"{n_undefined} undefined and {n_defined} defined symbols: the test looks at the wrong file")
# The rules themselves, on symbols that must be seen.
for name in ("abort", "exit", "_exit", "printf", "__printf_chk", "fprintf", "__fprintf_chk", "puts", "_ZSt4cout", "_ZSt4cerr", "_ZSt9terminatev", "__cxa_throw", "stderr"):
    if not FORBIDDEN.fullmatch(name):
        errors.append(f"the list does not know {name}")
for name, root in {"_ZN10mainspring2v05Model4openEv": "mainspring", "_ZNKSt6vectorIiSaIiEE4sizeEv": "std", "_ZN3fmt2v96detail5writeEv": "fmt", "_ZTVN3fmt10mainspring12format_errorE": "fmt::mainspring",
                   "_Z3fooi": "::foo", "foo": "foo", "_ZZN10mainspring2v01fEvE1x": "mainspring"}.items():
    if scope(name) != root:
        errors.append(f"scope({name}) is {scope(name)}, expected {root}")
print("\n".join(errors) or f"{n_undefined} references and {n_defined} definitions keep the rules")
sys.exit(1 if errors else 0)
