#!/usr/bin/env python3
"""Makes lib/llm/template/unicode_data.inc from this Python's Unicode tables (3.11: Unicode 14):
    python3 template_unicode.py ../../lib/llm/template/unicode_data.inc"""
import sys
import unicodedata

CODE_POINTS = [c for c in map(chr, range(0x110000)) if not 0xD800 <= ord(c) < 0xE000]


def ranges(holds):
    found = []
    for c in CODE_POINTS:
        if holds(c):
            if found and found[-1][1] == ord(c) - 1:
                found[-1][1] = ord(c)
            else:
                found.append([ord(c), ord(c)])
    return found


def table(kind, name, items):
    lines, line = [], "   "
    for item in items:
        if len(line) + len(item) + 2 > 138:
            lines.append(line)
            line = "   "
        line += f" {item},"
    return "\n".join([f"constexpr {kind} {name}[] = {{", *lines, line, "};", ""])


def range_table(name, holds):
    return table("Range", name, [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(holds)])


def case_table(name, mapped, differs):
    return table("CaseMap", name, ["{0x%X, {%s}}" % (ord(c), ", ".join(f"0x{ord(x):X}" for x in (mapped(c) + "\0\0\0")[:3]))
                                   for c in CODE_POINTS if differs(c)])


category = unicodedata.category
text = """// Generated from Python 3.11's unicodedata (Unicode 14) by tests/golden/template_unicode.py: the facts that utf8proc does not tell.
// Digits and numbers beside the category Nd; letters that are cased by property only; case mappings to more than one code point.
"""
text += range_table("kDigits", lambda c: c.isdigit() and not c.isdecimal())
text += range_table("kNumbers", lambda c: c.isnumeric() and not c.isdigit())
text += range_table("kOtherLower", lambda c: c.islower() and category(c) != "Ll")
text += range_table("kOtherUpper", lambda c: c.isupper() and category(c) != "Lu")
text += case_table("kUpper", str.upper, lambda c: len(c.upper()) > 1)
text += case_table("kLower", str.lower, lambda c: len(c.lower()) > 1)
text += case_table("kTitle", str.title, lambda c: len(c.title()) > 1)
text += case_table("kFold", str.casefold, lambda c: c.casefold() != c.lower())
open(sys.argv[1], "w").write(text)
