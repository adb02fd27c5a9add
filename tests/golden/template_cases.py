#!/usr/bin/env python3
"""Makes template_cases.json: snippets of every feature of Jinja with what Jinja2 3.1.6 renders, or null where it fails.
Run it with a Python 3.11 that has jinja2 (tests read only the JSON):  python3 template_cases.py
Snippets whose output holds an address are left out."""
import copy, datetime, json, pathlib, warnings
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

warnings.simplefilter("ignore")
NOW = datetime.datetime(2026, 1, 15, 12, 30)


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation])

    def raise_exception(message):
        raise ValueError(message)
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals.update(raise_exception=raise_exception, strftime_now=lambda f: NOW.strftime(f))
    return env


V = {
    'name': 'Wörld',
    'n': 7,
    'f': 2.5,
    'big': 123456789012345678901234567890,
    'neg': -13,
    't': True,
    'none_': None,
    'xs': [3, 1, 2],
    'ys': ['b', 'A', 'c', 'B'],
    'words': 'the quick brown fox',
    'd': {'a': 1, 'b': [1, 2, {'c': None}], 'items': 5, 'z y': "q'uote"},
    'e': [],
    'ed': {},
    's': '  padded \n',
    'html': '<b>&"\'</b>',
    'users': [{'name': 'Ann', 'age': 30, 'city': {'n': 'X'}}, {'name': 'bob', 'age': 25, 'city': {'n': 'y'}},
              {'name': 'Cy', 'age': 30, 'city': {'n': 'x'}}],
    'nested': [[1, [2, [3]]], [4]],
    'uni': '日本語 ß ǆ İ ÉÀ ﬁ Σίσυφος ΟΔΟΣ',
    'multi': 'a\nb\r\nc\n\nd',
    'json': '{"x": 1}',
}
T = []


def a(*templates):
    T.extend(templates)


def ex(*expressions):
    T.extend("{{ " + e + " }}" for e in expressions)


# literals & printing
ex(
    '1', '-1', '1_000', '0x1F', '0b101', '0o17', '1.5', '1e3', '1.5e-7', '1e16', '1e15', '123456789.123456789', '0.1+0.2', '1e22', '1e-5',
    '0.0001', '-0.0', '12345678901234567890123', 'big', 'big + 1', 'big * big', 'big // 7', 'big % 7', '-big', 'big / 3', 'big ** 2',
    '2 ** 100', '2 ** -1', '7 // 2', '-7 // 2', '7 % -3', '-7 % 3', '7.5 // 2', '-7.5 % 2', '7 / 2', '6 / 3', '1 / 0', '1 // 0', '1 % 0',
    '1.0 / 0', '2 ** 3 ** 2', '-2 ** 2', '2 ** 0.5', '10 ** 20', '5 - -3', '+t', '-t', 'not t', 't + 1', 'true', 'True', 'false', 'none',
    'None', "'a' 'b'", "'a' * 3", "3 * 'ab'", "'a' * -1", '[1,2] * 2', '(1,) * 2', '[1] + [2]', '(1,2) + (3,)', '[1] + (2,)', "'a' + 1",
    "1 + 'a'", "'a' ~ 1 ~ none ~ [1,'x'] ~ 2.0", "[1, 'a', none, true, 1.5, {'k': 'v'}, (1,), (), [], {}]",
    "{'a': 1, 2: 'b', none: [1], 1.5: (2,3)}", "{1: 'a', 1.0: 'b', true: 'c'}", "'it\\'s'", '["it\'s"]', '[\'say "hi"\']',
    '[\'both \\\' and "\']', "['\\n\\t\\\\\\x00\\x7f é \\u200b \\U0001F600']", "'\\x41\\u00e9\\101\\q\\\n'", "'\\é'", "'\\😀'", '()', '(1)',
    '(1,)', '1, 2', '[1,2,]', "{'a':1,}", "'a'.upper()", "'%s' % 'x'", 'xs', 'd', 'nested', 'uni', '[uni]', '1 if t', '1 if not t',
    '(1 if not t) is defined', '1 if false else 2 if false else 3', '[1 if not t]')
# compare / logic
ex(
    '1 < 2 < 3', '1 < 3 < 2', '1 == 1.0', '1 == true', "'a' == 'a'", '[1,2] == [1,2]', '[1] == (1,)', "{'a':1} == {'a':1.0}", '1 != 2',
    "'a' < 'b'", "'a' < 1", '[1,2] < [1,3]', '(1,2) >= (1,2)', 'none == none', 'none < 1', '1 in xs', '4 not in xs', "'q' in words",
    "1 in 'abc'", "'a' in d", '2 in d.b', 'not 1 in xs', '1 in none_', 'x in xs', '1 in undefinedvar', 't and 0', "0 or 'x'",
    "'' or none or []", '1 and 2 and 3', 'not (1 and 0)', 'big == 123456789012345678901234567890', 'big > 1', 'big > 1e29',
    '2**53 == 2.0**53', '2**53 + 1 == 2.0**53', "'a' is string", 'nan is defined', 'undefinedvar == undefinedvar2', 'undefinedvar == none',
    'undefinedvar != 1', 'undefinedvar < 1', 'undefinedvar + 1', '-undefinedvar', 'undefinedvar.x', "undefinedvar['x']", 'undefinedvar()',
    'd.nope', 'd.nope.x', 'd.nope == d.nope2', "d['nope']", "d['items']", 'd.items()', 'ed.items', 'xs.nope', 'xs[0]', 'xs[-1]', 'xs[9]',
    "xs['0']", 'xs[true]', 'xs[1.0]', 'xs.0', 'nested.0.1.0', 'd.b.2.c', "d['b'][2]['c']", 'd.b[2].c is none', 'name[0]', 'name[1]',
    'name[-1]', 'name[99]', 'none_.x', 'n.x', 'n.real', 'f.imag', "d['z y']", "'abc'['upper']()", 'd[[1]]', 'd[none]', 'xs[none]')
# slices
for s in ["1:", ":2", "::2", "::-1", "-2:", ":-1", "1:3:1", "3:1:-1", "10:", ":10", "-10:2", "::-2", "1::2", "none:2", "2:none:-1", "5:1", "-1:-5:-1", "true:"]:
    ex(f"words[{s}]", f"uni[{s}]", f"[0,1,2,3,4,5][{s}]", f"range(6)[{s}]|list")
ex("xs[::0]", "xs['a':]", "n[1:]", "none_[1:]", "undefinedvar[1:]", "d[1:]", "xs[1.5:]", "xs[:big]", "xs[1:2, 3]")
# filters
ex(
    '-5|abs', '-5.5|abs', 't|abs', "'x'|abs", 'big|abs', 'undefinedvar|abs', '[1,2,3,4,5]|batch(2)|list', "[1,2,3,4,5]|batch(2,'x')|list",
    '[1,2,3,4,5,6,7]|slice(3)|list', "[1,2,3,4,5,6,7]|slice(3,'x')|list", '[]|slice(3)|list', 'words|capitalize', 'uni|capitalize',
    'uni|upper', 'uni|lower', 'uni|title', 'words|title', "'foo-bar (baz) [qux] {a} <b> o\\'neil'|title", 'uni.title()',
    '"they\'re bill\'s".title()', 'words|center(30)', "'ab'|center(5)", "'abc'|center(6)", "x|default('D')", 'x|d', "''|default('D')",
    "''|default('D', true)", "none_|default('D')", "none_|d('D', boolean=true)", '0|default(5, true)', 'd|dictsort',
    "{'b':1,'A':2,'c':0}|dictsort", "{'b':1,'A':2,'c':0}|dictsort(true)", "{'b':1,'A':2,'c':0}|dictsort(false,'value')",
    "{'b':1,'A':2,'c':0}|dictsort(reverse=true)", "{'b':1}|dictsort(by='x')", 'html|e', 'html|escape', 'html|e|e', 'html|forceescape',
    'html|safe', 'html|safe|e', '[html|e]', "(html|e) + '<'", "'<' + (html|e)", "(html|e) ~ '<'", 'xs|first', 'e|first',
    'e|first is undefined', 'xs|last', 'e|last', "'abc'|first", "'abc'|last", "'é日'|last", 'd|first', 'd|last', 'x|first', 'x|last',
    "'3.7'|float", "'x'|float", "'x'|float(1)", "'1e3'|float", "' 2.5 '|float", 'none_|float', 'n|float', "'inf'|float", "'nan'|float",
    "'1_000.5'|float", 'xs|float', "'%s-%d'|format('a', 3)", "'%(a)s'|format(a=1)", "'%s'|format", "users|groupby('age')",
    "users|groupby('age')|list|length", "users|groupby('city.n')", "users|groupby('nope', default='zz')")
ex(
    'multi|indent', 'multi|indent(2)', 'multi|indent(2,true)', 'multi|indent(2,true,true)', "multi|indent('>>')",
    'multi|indent(first=true)', 'multi|indent(width=1,blank=true)', "''|indent", "'a'|indent(first=true)", '5|indent', "'42'|int",
    "'42.9'|int", "'x'|int", "'x'|int(-1)", "'0x1f'|int(base=16)", "'0x1f'|int(0,16)", "'101'|int(base=2)", "'0b101'|int(base=0)",
    "'z'|int(base=36)", '2.9|int', '-2.9|int', 't|int', 'none_|int', 'xs|int', "' 12 '|int", "'1_000'|int", "'１２'|int", 'x|int',
    "'1e3'|int", "'inf'|int", '1e400|int', "'-5'|int", "'+5'|int", "'12345678901234567890123'|int", '1e20|int', 'd.b|join',
    "xs|join(', ')", "ys|join('-')", "users|join(', ', attribute='name')", "'abc'|join('.')", "d|join(',')", 'x|join', '5|join',
    'xs|length', 'words|count', 'uni|length', 'd|length', '5|length', 'none_|length', 'x|length', "'abc'|list", 'd|list', 'x|list',
    '5|list', 'range(3)|list', 'd.items()|list', 'd.keys()|list', 'd.values()|list', 'd.items()', 'd.keys()', 'ed.values()',
    'd|items|list', 'x|items|list', '5|items|list', "ys|map('upper')|list", "ys|map('upper')|join", "users|map(attribute='name')|list",
    "users|map(attribute='nope')|list", "users|map(attribute='nope', default='q')|list", "users|map(attribute='city.n')|list",
    'nested|map(attribute=0)|list', "nested|map(attribute='0')|list", "xs|map('string')|map('length')|list",
    "ys|map('replace','b','c')|list", "ys|map('default', 'x')|list", 'xs|map|list', "xs|map('nofilter')|list", "xs|map('int', foo=1)|list",
    "e|map('nofilter')|list", 'xs|max', 'xs|min', 'ys|max', 'ys|min', 'ys|max(case_sensitive=true)', 'ys|min(true)',
    "users|max(attribute='age')", 'e|max', 'e|min is undefined', "[1,'a']|max", 'x|max')
ex(
    'd|pprint', 'xs|pprint', 'users|pprint', 'nested|pprint', "'x'|pprint", 'words|pprint', '(words * 6)|pprint',
    "{'k': words * 6}|pprint", '[words * 3, (words,) * 5]|pprint', '(1,)|pprint', 'xs|select|list', '[0,1,2]|select|list',
    "xs|select('odd')|list", "xs|select('>', 1)|list", "xs|select('divisibleby', 2)|list", "xs|reject('odd')|list", 'xs|reject|list',
    "users|selectattr('age')|list|length", "users|selectattr('age','eq',30)|map(attribute='name')|list",
    "users|rejectattr('age','==',30)|map(attribute='name')|list", "users|selectattr('nope')|list",
    "users|selectattr('nope','defined')|list", "users|rejectattr('nope','undefined')|list",
    "users|selectattr('name','in',['Ann','Cy'])|map(attribute='name')|join('/')", "users|selectattr('city.n','equalto','x')|list|length",
    'xs|selectattr|list', "xs|select('notest')|list", "words|replace('o','0')", "words|replace('o','0',1)", "'aaa'|replace('','-')",
    "'aaa'|replace('','-',2)", '5|replace(5,6)', "words|replace('o','0',count=1)", "words|replace('zz','y')", 'words|replace',
    'xs|reverse|list', 'words|reverse', 'uni|reverse', 'd|reverse|list', 'range(3)|reverse|list', 'x|reverse|list',
    "xs|map('string')|reverse", "xs|map('string')|reverse|list", '2.5|round', '3.5|round', '2.675|round(2)', "42.55|round(1,'floor')",
    "42.55|round(1,'ceil')", '42|round', '1234|round(-2)', '1250|round(-2)', '1350|round(-2)', '-1250|round(-2)', '1234.5|round(-2)',
    '42.123456|round(4)', '1e300|round(2)', "2.5|round(0,'x')", "'x'|round", 't|round', '0.5|round', '1.005|round(2)', 'big|round(-5)',
    "42.55|round(method='ceil')", 'ys|sort', 'ys|sort(true)', 'ys|sort(case_sensitive=true)', 'ys|sort(reverse=true,case_sensitive=true)',
    "users|sort(attribute='age')|map(attribute='name')|list", "users|sort(attribute='age,name')|map(attribute='name')|list",
    "users|sort(attribute='age',reverse=true)|map(attribute='name')|list", "users|sort(attribute='city.n')|map(attribute='name')|list",
    'users|sort', "[1,'a']|sort", 'd|sort', "'hello'|sort", '[[2,1],[1,2]]|sort', '[none,1]|sort', 'xs|string', "5|string ~ 'x'",
    "'<b>a</b> <!-- c --> b &amp; c &lt;'|striptags", "'<p>a\\n  b</p>'|striptags", "'a < b'|striptags", 'xs|sum', '[1.5,2]|sum',
    "users|sum(attribute='age')", "users|sum('age', 100)", 'xs|sum(start=10)', 'e|sum', 'ys|sum', 'nested|sum(start=[])')
ex(
    'd|tojson', 'users|tojson', 'users|tojson(indent=2)', 'd|tojson(indent=4)', 'e|tojson(indent=2)', '[[],{}]|tojson(indent=2)',
    'uni|tojson', 'uni|tojson(ensure_ascii=true)', 'uni|tojson(true)', "'😀\\x7f\\x01'|tojson", "'😀\\x7f\\x01'|tojson(ensure_ascii=true)",
    "d|tojson(separators=(',',':'))", "{'b':1,'a':{'d':1,'c':2}}|tojson(sort_keys=true)",
    "{'b':1,'a':2}|tojson(indent=2,sort_keys=true,separators=(',',': '))", 'html|tojson', '1.0|tojson', '1e100|tojson', 'big|tojson',
    'none_|tojson', 't|tojson', 'x|tojson', '(1,2)|tojson', 'range(3)|tojson', '{1:2,none:3,true:4,1.5:5}|tojson', '{(1,2):3}|tojson',
    "xs|map('string')|tojson", "d|tojson(indent='  ')", 'd|tojson(indent=0)', 'd|tojson(indent=none)', 'd|tojson(indent=-1)',
    'd|tojson(indent=true)', '1e400|tojson', 'html|e|tojson', "'\\u2028/\\b\\f'|tojson", 's|trim', "'xxaxx'|trim('x')", '5|trim',
    's|trim|length', "'\\u3000a\\u00a0'|trim", 'words|truncate(10)', 'words|truncate(10,true)', "words|truncate(9,false,'..',0)",
    "words|truncate(5,true,'',0)", 'words|truncate(2)', 'words|truncate', 'words|truncate(11, leeway=0)',
    "words|truncate(length=12,end='…')", "uni|truncate(5,true,'',0)", 'x|truncate', '5|truncate', 'ys|unique|list', 'ys|unique(true)|list',
    '[1,1.0,true,2]|unique|list', "users|unique(attribute='age')|map(attribute='name')|list", '[[1],[1]]|unique|list', 'x|unique|list',
    "'a b/c?d=é&'|urlencode", "{'a b':'c&d','e':1}|urlencode", "[('a','b c')]|urlencode", '5|urlencode', 'x|urlencode', 'xs|urlencode',
    'words|wordcount', "'a-b c_d, é日 1.5'|wordcount", 'x|wordcount', '(words*3)|wordwrap(20)',
    "'averyveryverylongword and more'|wordwrap(8)", "'averyveryverylongword and more'|wordwrap(8,false)",
    "'well-known hyphen-ated words--with dash'|wordwrap(10)",
    "'well-known hyphen-ated words--with dash'|wordwrap(10,break_on_hyphens=false)", 'multi|wordwrap(1)',
    "words|wordwrap(10,wrapstring='|')", "''|wordwrap", "'a b'|wordwrap(0)", "{'class':'x','id':none,'data':html}|xmlattr",
    "{'class':'x'}|xmlattr(false)", "{'a b':1}|xmlattr", '{}|xmlattr', '1000|filesizeformat', '1|filesizeformat', '999|filesizeformat',
    '1234567|filesizeformat', '1234567|filesizeformat(true)', "'5000'|filesizeformat", '1e30|filesizeformat', "d|attr('items')",
    "d|attr('a')", "name|attr('upper')", "name|attr('nope')", "x|attr('a')", 'xs|nofilter', 'xs|first(1)', 'xs|join(1,2,3)',
    'xs|join(foo=1)', "xs|join('a', d='b')")
# tests
values = ["1", "1.5", "'a'", "'A'", "none", "true", "false", "[1]", "()", "{'a':1}", "x", "range(3)", "dict", "xs|select", "html|e", "big", "d.keys()"]
for test in ["defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping", "sequence",
             "iterable", "callable", "escaped", "lower", "upper", "sameas none", "eq 1", "in [1, 'a', none]"]:
    a(" ".join("{{ " + v + " is " + test + " }}" for v in values))
ex(
    '1 is odd', '2 is odd', '2 is even', '-1 is odd', '1.0 is odd', "'a' is odd", 'x is odd', '6 is divisibleby 3', '7 is divisibleby(3)',
    '7 is not divisibleby 3', '1 is divisibleby 0', "'upper' is filter", "'nope' is filter", "'odd' is test", "'nope' is test",
    '1 is ge 1', '1 is lt 2', '1 is gt(2)', '1 is ne 1', '1 is equalto 1', '1 is greaterthan 0', '1 is lessthan 0', '1 is le 0',
    '1 is in xs', "'a' is in 'abc'", '1 is nope', '1 is not defined and t', 'x is defined or t', '1 is number is string',
    'x is not undefined', '(1 is odd) is true', '1 is sameas 1', '[] is sameas []', 'n is eq n', '1 is odd and 2 is even',
    'xs is iterable and xs is not mapping and xs is not string', 'not x is defined', '1 if x is defined else 2', 'x is none',
    'xs[0] is defined', '1 + 1 is eq 2', "'a' ~ 'b' is string")
# string methods
ex(
    'words.split()', "words.split(' ', 1)", 'words.split(maxsplit=2)', "words.split('o')", 's.split()', "''.split()", "''.split(',')",
    "'a,b,,c'.split(',')", "' a  b '.split(none, 1)", "' a  b '.rsplit(none, 1)", "'a.b.c'.rsplit('.', 1)", "'a.b.c'.rsplit('.')",
    "'a'.split('')", 'multi.splitlines()', 'multi.splitlines(true)', 'multi.splitlines(keepends=true)',
    "'a\\x0bb\\x0cc\\x1cd\\u2028e'.splitlines()", 's.strip()', 's.lstrip()', 's.rstrip()', "'xyxaxy'.strip('xy')", "'éaé'.strip('é')",
    's.strip(none)', "words.startswith('the')", "words.startswith(('a','the'))", "words.startswith('quick', 4)", "words.endswith('fox')",
    "words.endswith('the', 0, 3)", "words.endswith(['a'])", "words.startswith('')", "words.replace('quick','slow')",
    "words.replace('o','0',1)", "'aaa'.replace('a','b',-1)", "''.replace('','x')", 'uni.upper()', 'uni.lower()', 'uni.title()',
    'uni.capitalize()', 'uni.swapcase()', 'uni.casefold()', "'ab'.join(['x','y','z'])", "','.join(xs)", "','.join('abc')", "','.join(d)",
    "''.join([])", "words.find('quick')", "words.find('zz')", "words.find('o', 13)", "words.find('o', 0, 5)", "words.rfind('o')",
    "uni.find('ß')", "uni.rfind('σ')", "words.index('quick')", "words.index('zz')", "words.rindex('o')", "words.count('o')",
    "'aaaa'.count('aa')", "'abc'.count('')", "'abc'.find('', 10)", "'abc'.find('', 3)", "'abc'.count('', 10)", "'12'.isdigit()",
    "'²'.isdigit()", "'²'.isdecimal()", "'½'.isnumeric()", "''.isdigit()", "'a1'.isalnum()", "'aé'.isalpha()", "'a b'.isalpha()",
    "' \\t'.isspace()", "'ab'.islower()", "'AB'.isupper()", "'1'.islower()", "'Ab Cd'.istitle()", "'AB'.istitle()", "'a_1'.isidentifier()",
    "'1a'.isidentifier()", "'é'.isascii()", "'\\n'.isprintable()", "'7'.zfill(3)", "'-7'.zfill(4)", "'ab'.zfill(1)", "'a'.ljust(3) ~ '|'",
    "'a'.rjust(3,'*')", "'ab'.center(5,'é')", "'a'.ljust(3,'xx')", "'a=b=c'.partition('=')", "'a=b=c'.rpartition('=')",
    "'abc'.partition('x')", "'abc'.rpartition('x')", "'prefix_x'.removeprefix('prefix_')", "'x.txt'.removesuffix('.txt')",
    "'x'.removesuffix('yyy')", "'a\\tb'.expandtabs()", "'a\\tb'.expandtabs(4)", "'a'.nope()", "'a'.upper(1)", "'a'.__class__",
    "'a'.__class__.__mro__", "words.split(sep='o', maxsplit=1)", "'abc'.isupper")
ex(
    "'{} {}'.format(1,'a')", "'{0} {1} {0}'.format(1,2)", "'{a}'.format(a=1)", "'{a.b}'.format(a={'b':2})", "'{a[b]}'.format(a={'b':2})",
    "'{0[1]}'.format([1,2])", "'{:>5}|{:<5}|{:^5}'.format('a','b','c')", "'{:05d}'.format(42)", "'{:.2f}'.format(3.14159)",
    "'{:+d} {: d}'.format(5,5)", "'{:x} {:X} {:o} {:b} {:#x}'.format(255,255,8,5,255)", "'{:,}'.format(1234567)", "'{:_}'.format(1234567)",
    "'{:,.2f}'.format(1234567.891)", "'{:e}'.format(12345.678)", "'{:g}'.format(0.00001234)", "'{:%}'.format(0.25)", "'{!r}'.format('a')",
    "'{!s:>4}'.format(1)", "'{{}}'.format()", "'{:{w}}'.format('a', w=5)", "'{'.format()", "'}'.format()", "'{}'.format()",
    "'{} {0}'.format(1)", "'{:é^7}'.format('ab')", "'{:.2}'.format('abc')", "'{:d}'.format('a')", "'{:s}'.format(1)", "'{}'.format(none)",
    "'{:5}'.format(none)", "'{}'.format(true)", "'{:d}'.format(true)", "'{:5}|'.format(true)", "'{}'.format([1,'a'])", "'{}'.format(1.0)",
    "'{:.3}'.format(3.14159)", "'{:10.3f}|'.format(3.14159)", "'{:<10}|'.format(5)", "'{:c}'.format(65)", "'{:n}'.format(5)",
    "'{:.0f}'.format(2.5)", "'{:=+6d}'.format(5)", "'{:06.2f}'.format(-3.14159)", "'{a}'.format_map({'a':1})", "'{}'.format(x)",
    "'{:.1}'.format(12.0)", "'{:.2}'.format(12.0)", "'{:.5}'.format(12.0)", "'{:.3}'.format(0.00001)", "'{:}'.format(1e20)",
    "'{:,}'.format(1234.5)", "'{:.3%}'.format(0.12345)", "'{:08,}'.format(1234)")
ex(
    "'%s %s' % ('a', 1)", "'%d' % 3.9", "'%5d|%-5d|%05d' % (1,2,3)", "'%+d % d' % (1,2)", "'%x %X %o %#x' % (255,255,8,255)",
    "'%.2f' % 3.14159", "'%8.3f|' % 3.14159", "'%e %E' % (12345.678, 0.001)", "'%g %G' % (1e-10, 1e20)", "'%r' % 'a'", "'%s' % [1]",
    "'%s' % {'a':1}", "'%(a)s %(b)d' % {'a':1,'b':2}", "'%%' % ()", "'100%%' % ()", "'%c%c' % (65,'b')", "'%s' % (1,2)", "'%s %s' % 1",
    "'%d' % 'a'", "'%' % 1", "'%y' % 1", "'%5s|%-5s|' % ('a','b')", "'%.2s' % 'abc'", "'%*d' % (5,1)", "'%.3d' % 5", "'%i %u' % (1,2)",
    "'x' % []", "'x' % 1", "'%s' % none", "'%s' % x", "'%d' % x", "'%d' % true", "'%s' % ((1,2),)", "'%5.1f' % -2.25", "'%05.1f' % -2.25",
    "'%.0f' % 0.5", "'%x' % -255", "'%f' % 1e20", "'%d' % big", "'%s' % 1.0", "'%f' % ('a',)", "'é%5sé' % '日'")
# dict/list methods
ex(
    "d.get('a')", "d.get('q')", "d.get('q', 5)", 'd.get()', 'd.keys()|list', "'a' in d.keys()", '1 in d.values()', "('a',1) in d.items()",
    'd.copy() == d', "d.pop('a')", "d.update({'x':1})", "d.setdefault('a',1)", 'd.clear()', 'd.popitem()', 'd.pop', 'd.update is defined',
    'xs.append(1)', 'xs.append', 'xs.pop()', 'xs.sort()', 'xs.reverse()', 'xs.insert(0,1)', 'xs.extend([1])', 'xs.remove(1)', 'xs.clear()',
    'xs.index(2)', 'xs.index(9)', 'xs.count(1)', 'xs.copy()', '(1,2).index(2)', '(1,2,2).count(2)', "d.fromkeys(['a','b'])",
    'range(5).index(3)', 'range(5).count(3)', 'range(5).start', '(5).bit_length()', '(2.0).is_integer()', '5 .real', 'range(5)',
    'range(1,5)', 'range(1,10,3)', 'range(5,0,-2)|list', 'range(0)', 'range(1,2,0)', "range('a')", 'range(1.5)', 'range(3)|length',
    '2 in range(3)', 'range(3)[1]', 'range(3)[-1]', 'range(3)[5]', 'range(3) == range(0,3)', 'range()', 'dict(a=1,b=2)',
    "dict({'a':1}, b=2)", "dict([('a',1)])", 'dict([1])', 'dict(5)', 'namespace(a=1)', 'namespace(a=1).a', "namespace({'a':1}).a",
    'namespace(a=1).b', "namespace()['a']", "joiner(',')()", 'cycler(1,2).next()', 'cycler()', "raise_exception('no')",
    "strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %b %d %e %j %p %I %y %% %U %W %w %u %V %G %Z|%z %f %c %x %X %D %F %T %R %h %n%t %-d %-m %k %l %C')",
    "strftime_now('%d %b %Y')", 'strftime_now()', 'lipsum is callable', 'dict is callable', 'range is callable', 'd.items() | length',
    'd.keys() == d.keys()', 'namespace(a=1) == namespace(a=1)', 'nope()', 'd.a()', "'abc'()", 'xs[0]()', "dict(**{'a':1})",
    "dict(*[[('a',1)]], **{'b':2})", "dict(a=1, **{'a':2})", 'range(*[1,4])|list', 'range(*xs)|list', 'dict(**5)', 'dict(*5)',
    "d.get(*['a'])", "'{}{}'.format(*'ab')")
# whitespace & lexing
a(
    '', '\n', 'a\n', 'a\n\n', 'a\r\nb\rc\n', '  {% if t %}\n  x\n  {% endif %}\ny', '  {%- if t -%}\n  x\n  {%- endif -%}\ny',
    'a {%+ if t %}\nx{% endif +%}\ny', '  {%+ if t +%}\n  x\n  {%+ endif +%}\ny', 'a\n  {# c #}\nb', 'a {#- c -#} b', 'a  {#+ c +#}  \nb',
    '{#- c -#}\n\n x', 'x {{- 1 -}} y', 'x {{ 1 }}\n y', '  {{ 1 }}', '\n  {{- 1 }}', 'x {{+ 1 }} y', '{{-1}}', '{{--1}}', '{{- -1 }}',
    '{# {{ x }} {% y #}z', '{#', '{# a', '{{', '{{ 1', '{{ 1 }', '{%', '{% if', '{% if t', '{', '}', '{}', '}}', '%}', '#}', '{ { 1 } }',
    'a{%raw%}{{ x }}{% y %}{%endraw%}b', 'a {% raw %}\n  {{ x }}\n  {% endraw %}\nb', 'a {%- raw -%}\n  {{ x }}\n  {%- endraw -%}\nb',
    '  {% raw %}\nx\n  {% endraw +%}\nb', '{% raw %}{% endraw', '{% raw %}', '{% raw x %}', '{% rawx %}', '{%+ raw +%}a{% endraw %}',
    '{% raw %}a{%+ endraw %}\nb', '\t{% if t %}\ta\t{% endif %}\t', 'a\n\n  {% if t %}\n\n  b\n\n  {% endif %}\n\nc',
    '  {% set x = 1 %}  {{ x }}', 'a {% if t %} b {% endif %} c', 'a\xa0{% if t %}b{% endif %}', '\u2003{% if t %}b{% endif %}',
    "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}['a']}}", "{{ '}}' }}", "{{ '%}' }}", '{{ "{{" }}', "{% if '%}' == '%}' %}y{% endif %}",
    "{{ 'a\nb' }}", "{{ 'a\\\nb' }}", "{{ 'unclosed }}", '{{ 1 ) }}', '{{ ( 1 }}', '{{ (1] }}', '{{ $ }}', '{{ a ! b }}', '{{ 1;2 }}',
    '{{ é }}', '{% set é = 1 %}{{ é }}', '{{ a² }}', '{{ 1a }}', '{{ 007 }}', '{{ 0_0 }}', '{{ 1__0 }}', '{{ 1_ }}', '{{ 0x }}',
    '{{ .5 }}', '{{ 5. }}', '{{ 1.e5 }}', '{{ 1e }}', "{{ '\\u12' }}", "{{ '\\x4' }}", '{{ }}', '{% %}', '{{ 1 2 }}', '{{ 1, }}',
    '{% if %}x{% endif %}', '{% foo %}', '{% endif %}', '{% if t %}', '{% for x in xs %}', '{% if t %}{% endfor %}',
    '{% if t %}{% else %}{% elif t %}{% endif %}', 'a\x00b', 'a\tb', 'line1\n{{ 1 }}\n\n', 'x\n{% if t %}\n{% endif %}\n',
    '{%if t%}a{%endif%}', '{%-if t-%} a {%-endif-%}', '{{1}}{{2}}', '{{xs[0]}}', 'a\n{#- x #}\n b', '{% if t: %}a{% endif: %}',
    '{% if t: %}a{% endif %}', '{% if t %}a{% else: %}b{% endif %}', ' {% for x in xs %}  {{ x }}  {% endfor %} ',
    '\n\n{% for x in xs -%}\n  {{ x }}\n{%- endfor %}\n\n')
# if / for
a(
    '{% if n > 5 %}a{% elif n > 3 %}b{% else %}c{% endif %}', '{% if f %}{% elif t %}b{% endif %}',
    '{% if x %}a{% elif y %}b{% elif t %}c{% else %}d{% endif %}', '{% if 1, 0 %}a{% endif %}', '{% for x in xs %}{{ x }},{% endfor %}',
    '{% for x in e %}a{% else %}empty{% endfor %}', '{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}',
    '{% for k in d %}{{ k }};{% endfor %}', '{% for a, (b, c) in [(1,(2,3)),(4,(5,6))] %}{{ a }}{{ b }}{{ c }} {% endfor %}',
    '{% for a, b in [(1,2,3)] %}{% endfor %}', '{% for a, b in [(1,)] %}{% endfor %}', '{% for a, b in [1] %}{% endfor %}',
    "{% for a, b in ['xy'] %}{{ a }}{{ b }}{% endfor %}", '{% for a, in [(1,)] %}{{ a }}{% endfor %}', '{% for x in 5 %}{% endfor %}',
    '{% for x in none_ %}{% endfor %}', '{% for x in nope %}a{% else %}b{% endfor %}', "{% for x in 'añb' %}[{{ x }}]{% endfor %}",
    '{% for x in xs if x > 1 %}{{ loop.index }}{{ x }}{{ loop.last }}{{ loop.length }} {% endfor %}',
    '{% for x in xs if x > 9 %}{% else %}none{% endfor %}',
    '{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}',
    '{% for x in xs %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}',
    '{% for x in [1,1,2,2,1] %}{{ loop.changed(x) }} {% endfor %}', "{% for x in xs %}{{ loop.cycle('a','b') }}{% endfor %}",
    '{% for x in xs %}{{ loop.cycle() }}{% endfor %}', '{% for x in xs %}{{ loop }} {% endfor %}',
    "{% for x in xs %}{{ loop.nope }}{{ loop['index'] }}{{ loop|length }}{% endfor %}",
    "{% for x in xs|map('string') %}{{ loop.length }}{{ loop.index }}{{ x }} {% endfor %}",
    "{% for x in xs|map('string') %}{{ loop.revindex }}{{ loop.last }}{{ x }}{{ loop.nextitem }} {% endfor %}",
    '{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}',
    '{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}', '{% for x in xs %}{% break %}{% else %}else{% endfor %}',
    '{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{% else %}else{% endfor %}',
    '{% for x in xs %}{% continue %}{% else %}else{% endfor %}',
    '{% for x in xs %}{% for y in ys %}{{ loop.index }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}{{ loop.index }} {% endfor %}',
    '{% break %}', '{% continue %}', '{% for x in xs %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}',
    '{% for x in xs %}{% else %}{% break %}{% endfor %}',
    '{% for a in xs %}{% for x in e %}{% else %}{% break %}{% endfor %}{{ a }}{% endfor %}',
    '{% for x in xs %}{% set loop = 1 %}{% endfor %}', '{% for loop in xs %}{% endfor %}', '{% set loop = 1 %}{{ loop }}',
    '{% for x in nested recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}',
    '{% for x in [[1],[2]] recursive %}{{ loop.depth0 }}{% if x is sequence %}{{ loop(x) }}{% endif %}{% else %}E{% endfor %}',
    '{% for x in xs %}{{ loop(xs) }}{% endfor %}', '{% for x in range(3) recursive %}{% break %}{% endfor %}',
    '{% for x in xs if loop.index %}{% endfor %}',
    '{% for y in xs %}{% for x in xs if loop.index > 1 %}{{ x }}{% endfor %};{{ loop.index }}{% endfor %}',
    '{% for x in xs %}{{ x }}{% endfor %}{{ x }}', '{% for x in xs %}{% set y = x %}{% endfor %}{{ y }}',
    '{% set y = 0 %}{% for x in xs %}{% set y = y + x %}{{ y }}{% endfor %}{{ y }}',
    '{% for x in xs %}{{ y }}{% set y = x %}{{ y }}{% endfor %}',
    '{% for x in xs %}{% if x == 1 %}{% set q = x %}{% endif %}{{ q }}.{% endfor %}', '{% for true in xs %}{% endfor %}',
    '{% for x.y in xs %}{% endfor %}', '{% for [a,b] in xs %}{% endfor %}', '{% for x in xs, 5 %}{{ x }}{% endfor %}',
    '{% for x in (1,2) if x %}{{ x }}{% endfor %}', '{% for x in xs if x else %}{% endfor %}',
    '{% for x in t and xs %}{{ x }}{% endfor %}',
    '{% for i in range(3) %}{% for j in range(i) %}{{ loop.index }}{{ i }}{{ j }} {% endfor %}{% endfor %}',
    '{% for x in xs %}{% for y in [loop.index] %}{{ y }}{% endfor %}{% endfor %}',
    "{% for x in users|groupby('age') %}{{ x.grouper }}:{{ x.list|map(attribute='name')|join(',') }};{% endfor %}",
    "{% for g, l in users|groupby('city.n') %}{{ g }}{{ l|length }}{% endfor %}", "{% set g = xs|map('string') %}{{ g|list }}{{ g|list }}",
    '{% set g = xs|select %}{% for x in g %}{{ x }}{% break %}{% endfor %}{{ g|list }}',
    "{% set g = xs|map('string') %}{{ g|first }}{{ g|first }}{{ g|first }}{{ g|first }}",
    '{% set g = xs|select %}{{ 1 in g }}{{ g|list }}', "{% set g = xs|map('nope') %}ok",
    '{% for x in d.values() %}{{ loop.length }}{% endfor %}',
    '{% for x in xs|reverse %}{{ loop.index }}{{ x }}{{ loop.last }}{% endfor %}',
    '{% for x in xs|reverse %}{{ loop.length }}{% endfor %}')
# set
a(
    '{% set x = 1 %}{{ x }}', '{% set x, y = 1, 2 %}{{ x }}{{ y }}', '{% set x, y = 1 %}', '{% set (x, y) = (1, 2) %}{{ x }}{{ y }}',
    '{% set x = 1, 2 %}{{ x }}', '{% set x %}a{{ n }}b{% endset %}{{ x }}|{{ x is string }}', '{% set x | upper %}abc{% endset %}{{ x }}',
    "{% set x | replace('a','b') | upper %}abc{% endset %}{{ x }}", '{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}',
    '{% set ns = namespace(a=1) %}{% for x in xs %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}{{ ns }}',
    '{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}',
    '{% set ns = namespace() %}{% set ns.a %}x{% endset %}{{ ns.a }}', '{% set d.a = 1 %}', '{% set nope.a = 1 %}',
    '{% set ns = namespace() %}{% set ns.a.b = 1 %}', "{% set ns = namespace() %}{% set ns['a'] = 1 %}", '{% set xs[0] = 1 %}',
    '{% set 1 = 1 %}', '{% set none = 1 %}', "{% set 'a' = 1 %}", '{% set x %}{% set y = 5 %}{{ y }}{% endset %}{{ x }}{{ y }}',
    '{% set n = n + 1 %}{{ n }}', '{% if t %}{% set z = 1 %}{% endif %}{{ z }}', '{% if not t %}{% set n = 1 %}{% endif %}{{ n }}',
    '{% for i in [1] %}{{ n }}{% endfor %}{% set n = 1 %}', '{% macro m() %}{{ n }}{% endmacro %}{{ m() }}{% set n = 1 %}{{ m() }}',
    '{% macro m() %}{{ n }}{% endmacro %}{{ n }}{{ m() }}{% set n = 1 %}{{ m() }}', '{{ later }}{% set later = 1 %}{{ later }}',
    '{% set a = b %}{% set b = 1 %}{{ a }}{{ b }}', '{% set x = 1 %}{% set x = x + 1 %}{{ x }}',
    '{% set ns = namespace(x=[]) %}{% for i in xs %}{% set ns.x = ns.x + [i] %}{% endfor %}{{ ns.x }}',
    '{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me.me is defined }}', '{% set ns = namespace(_a=1) %}{{ ns._a }}',
    "{% set ns = namespace(a=1, **{'b': 2}) %}{{ ns.b }}{{ ns.c }}{{ ns['b'] }}", '{% set x = ns %}{% set ns = 1 %}{{ x }}',
    '{% set t = 0 %}{% if t %}a{% endif %}', '{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}',
    '{% with a=1, b=2 %}{{ a }}{{ b }}{% endwith %}{{ a }}', '{% with a=n, n=2 %}{{ a }}{{ n }}{% endwith %}{{ n }}',
    '{% set a = 5 %}{% with a=1, b=a %}{{ a }}{{ b }}{% endwith %}', '{% with a %}{% endwith %}',
    '{% with a, b = 1, 2 %}{{ a }}{% endwith %}', '{% with (a, b) = (1, 2) %}{{ a }}{{ b }}{% endwith %}',
    '{% filter upper %}abc{{ name }}{% endfilter %}', "{% filter replace('a','b')|upper %}aaa{% endfilter %}",
    '{% filter indent(2) %}a\nb{% endfilter %}', '{% filter nope %}{% endfilter %}',
    '{% filter upper %}{% set q = 1 %}{{ q }}{% endfilter %}{{ q }}',
    '{% for x in xs %}{% filter upper %}a{% if x == 1 %}{% break %}{% endif %}{% endfilter %}{% endfor %}', '{% print 1, 2 %}',
    '{% print %}', "{% print 'a' %}", '{% autoescape false %}{{ html }}{% set w = 1 %}{% endautoescape %}{{ w }}',
    '{% generation %}a{{ n }}{% set q = 1 %}{% endgeneration %}{{ q }}', '{% generation %}{% endfor %}',
    '  {% generation %}\n a\n  {%- endgeneration %}\nb')
# macros
a(
    '{% macro m(a, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}{{ m(1,3) }}{{ m(b=5,a=4) }}{{ m() }}',
    '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1,2) }}', '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(c=2) }}',
    '{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}', '{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1,2,x=3) }}',
    '{% macro m(a) %}{{ a }}{{ varargs }}{% endmacro %}{{ m(1,2,3) }}',
    '{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{{ n }}{% endcall %}',
    '{% macro m() %}{{ caller(1,2) }}{% endmacro %}{% call(a,b=5) m() %}{{ a }}{{ b }}{% endcall %}',
    '{% macro m() %}{{ caller(1) }}{% endmacro %}{% call(a,b=5) m() %}{{ a }}{{ b }}{% endcall %}',
    '{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}',
    '{% macro m() %}{% if caller %}y{% else %}n{% endif %}{% endmacro %}{{ m() }}{% call m() %}{% endcall %}',
    '{% macro m() %}a{% endmacro %}{% call m() %}x{% endcall %}', '{% macro m(a, a) %}{% endmacro %}',
    '{% macro m(a=1, b) %}{% endmacro %}', '{% macro m(x=n) %}{{ x }}{% endmacro %}{{ m() }}',
    '{% macro m(x, y=x) %}{{ y }}{% endmacro %}{{ m(3) }}', '{% macro m(x=y, y=1) %}{{ x }}{{ y }}{% endmacro %}{{ m() }}',
    '{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * (fact(n-1)|int) }}{% endif %}{% endmacro %}{{ fact(10) }}',
    '{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}B{% endmacro %}{{ a() }}', '{{ m }}{% macro m() %}{% endmacro %}',
    '{{ m() }}{% macro m() %}{% endmacro %}', '{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}{{ m.caller }}',
    '{% macro m() %}{{ q }}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ m() }}{{ q }}',
    '{% set q = 5 %}{% macro m() %}{{ q }}{% set q = 1 %}{{ q }}{% endmacro %}{{ m() }}{{ q }}',
    '{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}',
    '{% if t %}{% macro m() %}T{% endmacro %}{% else %}{% macro m() %}F{% endmacro %}{% endif %}{{ m() }}',
    '{% macro outer() %}{% macro inner() %}I{{ n }}{% endmacro %}{{ inner() }}{% endmacro %}{{ outer() }}{{ inner is defined }}',
    '{% macro m(caller) %}{{ caller }}{% endmacro %}{{ m(1) }}', '{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}{{ m(2) }}',
    '{% macro m(kwargs) %}{{ kwargs }}{% endmacro %}{{ m(1) }}', '{% macro m(varargs=3) %}{{ varargs }}{% endmacro %}{{ m() }}',
    '{% macro m() %}  x  {% endmacro %}[{{ m() }}]{{ m()|trim }}', '{% macro m(x) -%}\n {{ x }}\n{%- endmacro %}{{ m(1) }}{{ m(m(2)) }}',
    '{% call nope() %}{% endcall %}', '{% call n %}{% endcall %}', "{% call(x) d.get('a') %}{% endcall %}",
    "{% macro m(x) %}{{ x.y }}{% endmacro %}{{ m({'y':1}) }}{{ m() }}", '{% macro m() %}{{ n }}{% endmacro %}{% set n = 99 %}{{ m() }}',
    '{% macro m(items) %}{% for i in items %}{{ loop.index }}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) m(xs) %}<{{ i }}>{% endcall %}',
    '{% macro a() %}[{{ caller() }}]{% endmacro %}{% macro b() %}{% call a() %}{{ caller() }}{% endcall %}{% endmacro %}{% call b() %}x{% endcall %}',
    '{% macro m() %}{{ m.name }}{% endmacro %}{{ m() }}', '{% macro m() %}{{ loop }}{% endmacro %}{% for x in xs %}{{ m() }}{% endfor %}',
    '{% macro m(*a) %}{% endmacro %}', '{% macro 1() %}{% endmacro %}', '{% macro m %}{% endmacro %}',
    '{% macro m() %}{{ kwargs.a }}{% endmacro %}{{ m(a=1) }}{{ m() }}{{ m(1) }}',
    "{% macro m(a, b='x', c=none) %}{{ [a,b,c] }}{% endmacro %}{{ m(*[1,2]) }}{{ m(**{'c':3}) }}{{ m(1, c=2) }}",
    '{% macro m() %}{% for x in xs %}{{ x }}{% endfor %}{{ x }}{% endmacro %}{{ m() }}',
    '{% macro m() %}{% set ns.x = ns.x + 1 %}{% endmacro %}{% set ns = namespace(x=0) %}{{ m() }}{{ m() }}{{ ns.x }}',
    "{% set f = 'abc'.upper %}{{ f() }}", "{% set g = d.get %}{{ g('a') }}", '{{ [x, undefinedvar] }}', "{{ {'a': undefinedvar} }}")
# blocks & inheritance
a(
    '{% block a %}A{{ n }}{% endblock %}', '{% block a %}A{% endblock a %}', '{% block a %}A{% endblock b %}',
    '{% for x in xs %}{% block a scoped %}{{ x }}{% endblock %}{% endfor %}',
    '{% for x in xs %}{% block a %}{{ x }}{% endblock %}{% endfor %}',
    '{% set q = 1 %}{% block a %}{{ q }}{% set q = 2 %}{{ q }}{% endblock %}{{ q }}',
    '{% block a %}{% endblock %}{% block a %}{% endblock %}', '{% macro m() %}M{% endmacro %}{% block a %}{{ m() }}{% endblock %}',
    '{% if t %}{% set q = 1 %}{% endif %}{% block a %}{{ q }}{% endblock %}',
    '{% with q = 1 %}{% block a scoped %}{{ q }}{% endblock %}{% endwith %}', "{% extends 'x' %}", "{% include 'x' %}",
    "{% import 'x' as y %}", "{% from 'x' import y %}", '{% block a-b %}{% endblock %}')
# soft frames
a(
    '{% if not t %}{{ 1|nope }}{% endif %}ok', '{% if t %}{{ 1|nope }}{% endif %}ok', '{{ 1|nope if not t else 2 }}',
    '{% if not t %}{% for x in xs %}{{ x|nope }}{% endfor %}{% endif %}ok', '{% if not t %}{{ 1 is nope }}{% endif %}ok',
    '{% macro m() %}{{ 1|nope }}{% endmacro %}ok', '{% if t %}{% macro m() %}{{ 1|nope }}{% endmacro %}{% endif %}ok', '{{ 1|nope }}',
    "{{ x.y if x is defined else 'no' }}", "{{ 'a' if x else 'b' if y else 'c' }}", '{{ (1 if not t).x }}', '{{ a.b.c }}',
    '{{ d.b[2].c.d }}', "{{ a|default(b|default(c|default('z'))) }}", '{{ not x }}', '{{ x and y }}', "{{ x or 'z' }}",
    '{{ xs|length > 2 and xs[0] == 3 }}', '{{ -1|abs }}', '{{ (-1)|abs }}', '{{ 1 - 1|abs }}', "{{ 'a' ~ 'b'|upper }}",
    '{{ 2 * 3 ~ 4 + 5 }}', '{{ 1 ~ 2 + 3 }}', '{{ 1 + 2 ~ 3 }}', '{{ not 1 == 2 }}', '{{ 1 in [1] and 2 }}', "{{ 'a' in 'abc' ~ 'd' }}",
    '{{ [1,2][0] + 1 }}', "{{ {'a':1}.a }}", "{{ 'abc'[1:].upper() }}", "{{ 'abc'|upper|lower|first }}", '{{ xs|sort|join }}',
    '{{ foo.bar() }}', '{{ 1.5.real }}', '{{ 5|string|length }}', '{{ (1, 2)|join }}', '{{ 1 is defined is true }}',
    '{{ xs is defined and xs|length }}', '{{ *xs }}', '{{ a=1 }}', '{{ lambda: 1 }}', '{{ [x for x in xs] }}', "{{ f'' }}", '{{ 1 if }}',
    '{{ if }}', '{{ for }}', '{{ in }}', '{{ not }}', '{{ is }}', '{{ and }}', '{{ 1 and }}', '{{ x. }}', "{{ x.'a' }}", '{{ x[] }}',
    '{{ x[1,2] }}', '{{ {(1,2):3}[1,2] }}', '{{ {1} }}', '{{ {1:} }}', "{{ 'a'|  }}", '{{ 1 is }}', '{{ 1|upper.x }}', '{{ foo(a=1, 2) }}',
    '{{ foo(**a, *b) }}', '{{ foo(a=1,a=2) }}', '{{ foo(,) }}', '{{ foo(1,) }}', '{{ dict(a=1,) }}')


def render(env, template):
    try:
        return env.from_string(template).render(**copy.deepcopy(V))
    except Exception:
        return None


env = environment()
cases = [[t, render(env, t)] for t in T]
cases = [c for c in cases if " at 0x" not in (c[1] or "")]
path = pathlib.Path(__file__).with_name("template_cases.json")
path.write_text(json.dumps({"now": NOW.isoformat(), "variables": V, "cases": cases}, ensure_ascii=False, separators=(",", ":")) + "\n")
print(len(cases), "cases,", sum(c[1] is None for c in cases), "that fail")
