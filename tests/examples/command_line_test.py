#!/usr/bin/env python3
"""Every verb of the command on a small model: results, exit codes, one line of error. `command_line_test.py COMMAND MODEL GRAPH`"""
import json, os, pathlib, re, signal, struct, subprocess, sys, tempfile, time

COMMAND, MODEL, GRAPH = sys.argv[1:4]
failed = 0


def run(*args, stdin=""):
    p = subprocess.run([COMMAND, *map(str, args)], capture_output=True, text=True, input=stdin, timeout=60, errors="replace")
    return p.returncode, p.stdout, p.stderr


def document(*args, **kw):
    code, out, err = run(*args, "--json", **kw)
    if code or err:
        raise AssertionError(f"{args}: exit {code}, {err!r}")
    return json.loads(out)


def case(f):
    global failed
    try:
        f()
        print("ok  ", f.__name__)
    except Exception as e:
        failed += 1
        print("FAIL", f.__name__, "-", type(e).__name__, e)


def refuses(code, part, *args):
    got, out, err = run(*args)
    assert got == code, f"{args}: exit {got}, expected {code}: {err!r}"
    assert part in err and err.count("\n") == 1 and not out, f"{args}: {err!r} on stderr, {out[:80]!r} on stdout, expected one line with {part!r}"


@case
def tokens_and_text():
    text = "Größe? 你好\n"
    ids = document("tokenize", MODEL, text)["tokens"]
    assert ids == [256, *text.encode()], ids
    assert document("tokenize", MODEL, "<s>", "--no-special")["tokens"] == list(b"<s>")
    assert document("detokenize", MODEL, ",".join(map(str, ids)))["text"] == "<s>" + text
    assert document("detokenize", MODEL, ",".join(map(str, ids)), "--no-special")["text"] == text


@case
def generation_repeats_itself():
    a = document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 20, "--seed", 3, "--temperature", 1.5)
    b = document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 20, "--seed", 3, "--temperature", 1.5, "--threads", 3)
    c = document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 20, "--seed", 4, "--temperature", 1.5)
    assert a["tokens"] == b["tokens"] != c["tokens"] and a["prompt_tokens"] == [256, *b"Hello"], (a, b, c)
    assert len(a["tokens"]) == 20 or a["tokens"][-1] == 257
    greedy = document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 9, "--greedy")
    assert greedy["tokens"] == document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 9, "--top-k", 1)["tokens"]
    forbidden = greedy["tokens"][0]
    assert forbidden not in document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 9, "--greedy", "--logit-bias", f"{forbidden}=-inf")["tokens"]


@case
def generation_streams_what_json_tells():
    code, out, err = run("generate", MODEL, "--prompt", "Hello", "--max-tokens", 9, "--greedy")
    assert code == 0 and not err and out.rstrip("\n") == document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 9, "--greedy")["text"].rstrip("\n")


@case
def context_bounds_a_generation():
    r = document("generate", MODEL, "--prompt", "x" * 250, "--max-tokens", 100, "--ignore-end")
    assert r["finish"] == "context_full" and len(r["tokens"]) <= 256 - 251 + 1, r
    refuses(1, "max_context", "generate", MODEL, "--prompt", "x" * 300)


@case
def chat_goes_through_the_template():
    r = document("generate", MODEL, "--prompt", "Hi", "--chat", "--max-tokens", 3)
    assert bytes(r["prompt_tokens"][1:]) == b"[user]Hi\n[assistant]" and r["prompt_tokens"][0] == 256
    code, out, err = run("chat", MODEL, "--max-tokens", 4, "--greedy", "--json", stdin="Hi\nAgain\n")
    lines = [json.loads(l) for l in out.splitlines()]
    assert code == 0 and len(lines) == 2 and all(len(l["tokens"]) <= 4 for l in lines), (code, out, err)


@case
def templates_render():
    with tempfile.TemporaryDirectory() as d:
        source, variables = pathlib.Path(d) / "t.jinja", pathlib.Path(d) / "v.json"
        variables.write_text(json.dumps({"messages": [{"role": "user", "content": "Hi"}], "add_generation_prompt": True}))
        assert run("template", MODEL, "--input", variables) == (0, "<s>[user]Hi\n[assistant]", "")
        source.write_text("{{ messages[0].content | upper }} {{ strftime_now('%Y') }}")
        assert run("template", "--template", source, "--input", variables, "--now", "2026-01-15T12:30:00") == (0, "HI 2026", "")
        source.write_text("{{ raise_exception('no') }}")
        refuses(1, "no", "template", "--template", source, "--input", variables)
        source.write_text("{% for x in %}")
        refuses(1, "line 1", "template", "--template", source, "--input", variables)


@case
def logits_are_a_numpy_file():
    with tempfile.TemporaryDirectory() as d:
        out = pathlib.Path(d) / "l.npy"
        assert run("logits", MODEL, "--tokens", "1,2,3", "--output", out, "--exact") == (0, "", "")
        raw = out.read_bytes()
        size = struct.unpack("<H", raw[8:10])[0]
        assert raw[:6] == b"\x93NUMPY" and (10 + size) % 64 == 0 and b"(3, 258)" in raw[:10 + size] and len(raw) == 10 + size + 3 * 258 * 4
        refuses(1, "vocabulary", "logits", MODEL, "--tokens", "1,258", "--output", out)
        assert not out.exists(), "a file that was not finished stays behind"
        refuses(2, "'x'", "logits", MODEL, "--tokens", "1,x", "--output", out)
        if os.path.exists("/dev/full"):
            refuses(1, "full", "logits", MODEL, "--tokens", "1,2,3", "--output", "/dev/full")
            assert os.path.exists("/dev/full"), "a device was removed"


@case
def perplexity_of_a_text():
    with tempfile.NamedTemporaryFile("w") as f:
        f.write("abc " * 64)
        f.flush()
        r = document("perplexity", MODEL, f.name, "--context", 64)
        assert r["tokens"] == r["windows"] * 31 and r["windows"] == 4 and r["perplexity"] > 1, r
        refuses(1, "expected at least", "perplexity", MODEL, f.name, "--context", 4096)


@case
def bench_info_explain():
    r = document("bench", MODEL, "--prompt", 16, "--generate", 4, "--repeat", 2, "--parallel", 2, "--depth", 8)
    assert all(r[k]["min"] <= r[k]["median"] <= r[k]["max"] for k in ("prefill_tokens_per_s", "decode_tokens_per_s")) and r["peak_rss_bytes"] > 0 and r["load_ms"] > 0, r
    assert r["roof"]["ops_per_token"] > 0 and r["roof"]["ops_per_output_row"] % (2 * 258) == 0, r  # the vocabulary's rows
    r = document("info", MODEL, "--context", 100)
    assert r["architecture"] == "llama" and r["supported"] and r["memory"]["total"] > 0 and r["vocabulary_size"] == 258 and len(r["tensors"]) == 20, r
    assert run("info", MODEL)[0] == 0
    assert any("attention" in n["op"] for n in document("explain", MODEL))


@case
def explain_tells_what_was_measured():
    with tempfile.TemporaryDirectory() as d:
        cold, warm = (document("explain", MODEL, "--cache", d) for _ in range(2))
        assert warm == cold
        for n in cold:
            # amx, avx512vnni, avxvnni: each has a kernel below it that gives the same bits. What glu_linear takes must go together, so it may measure and not say so.
            if n["kernel"].startswith("qgemm.a") and "avx2" not in n["kernel"] and n["op"] == "linear":
                assert re.search(r"measured: \w+ \d+\.\d\dx \w+ with 1 row, \d+\.\d\dx \w+ with \d+$", n["why"]), n
        assert not any("measured" in n["why"] for n in document("explain", MODEL))


@case
def keys_and_values_in_other_formats():
    bytes_of = {kv: document("info", MODEL, "--context", 256, "--kv", kv)["memory"]["kv"] for kv in ("f32", "f16", "q8_0")}
    assert bytes_of["q8_0"] < bytes_of["f16"] < bytes_of["f32"], bytes_of
    assert any(n["kernel"].endswith("q8_0") for n in document("explain", MODEL, "--kv", "q8_0") if n["op"] == "attention")
    assert document("generate", MODEL, "--prompt", "Hello", "--max-tokens", 5, "--greedy", "--kv", "q8_0")["tokens"]
    refuses(1, "an exact session keeps keys and values in f32", "generate", MODEL, "--prompt", "x", "--exact", "--kv", "q8_0")
    refuses(2, "--kv", "generate", MODEL, "--prompt", "x", "--kv", "q4_0")


@case
def a_profile_holds_every_node_and_worker():
    nodes = {n["node"] for n in document("explain", MODEL) if n["steps"]}
    with tempfile.TemporaryDirectory() as d:
        trace = pathlib.Path(d) / "trace.json"
        r = document("explain", MODEL, "--profile", trace, "--prompt", 40, "--generate", 5, "--depth", 8, "--parallel", 2, "--threads", 2)
        assert [(p["phase"], p["passes"], p["dropped"], len(p["idle"])) for p in r["phases"]] == [("prefill", 1, 0, 2), ("decode", 5, 0, 2)], r
        for p in r["phases"]:
            assert 0 < sum(o["share"] for o in p["ops"]) < 1.001 and all(0 <= i <= 1 for i in p["idle"]), p
            assert all(o["bytes"] > 0 and o["share_of_roof"] > 0 for o in p["ops"]), p
        decode = {o["op"]: o for o in r["phases"][1]["ops"]}
        # two layers, two sequences, five steps that see 49 to 53 positions of two heads of 16 in f16; q and the result: rows of 64 in f32
        assert decode["attention"]["bytes"] == 2 * 2 * (sum(range(49, 54)) * 2 * 2 * 16 * 2 + 5 * 2 * 64 * 4), decode
        events = json.loads(trace.read_text())["traceEvents"]
        slices = [e for e in events if e["ph"] == "X" and e["name"] != "idle"]
        assert all(e["args"]["bytes"] > 0 and e["args"]["share_of_roof"] > 0 for e in slices)
        assert {e["name"] for e in slices} == nodes, nodes ^ {e["name"] for e in slices}
        assert {e["args"]["name"] for e in events if e["name"] == "thread_name"} == {"worker 0", "worker 1"}
        for w in (0, 1):  # one worker does one thing at a time
            own = sorted((e["ts"], e["dur"]) for e in events if e["ph"] == "X" and e["tid"] == w)
            assert all(a[0] + a[1] <= b[0] + 0.002 for a, b in zip(own, own[1:])), w
        assert "idle" in run("explain", MODEL, "--profile", trace)[1]
        refuses(1, "cannot be written", "explain", MODEL, "--profile", d + "/no/such/folder")
        refuses(2, "--profile", "explain", MODEL, "--prompt", 4)


@case
def errors_have_codes():
    refuses(2, "--help", "generate", MODEL, "--no-such-option")
    refuses(2, "", "nonsense")
    refuses(2, "--prompt", "generate", MODEL)
    refuses(1, "No such file", "generate", "/does/not/exist", "--prompt", "x")
    refuses(3, "expected a GGUF or ONNX file", "generate", __file__, "--prompt", "x")
    refuses(1, "top_p", "generate", MODEL, "--prompt", "x", "--top-p", 7)
    for verb in "generate chat tokenize detokenize template logits perplexity bench info explain".split():
        code, out, _ = run(verb, "--help")
        assert code == 0 and verb in out and "--json" in out and "--threads" in out, verb
    bytes_ = pathlib.Path(MODEL).read_bytes()
    with tempfile.NamedTemporaryFile() as f:
        f.write(bytes_.replace(b"llama", b"lxama"))
        f.flush()
        refuses(3, "lxama", "generate", f.name, "--prompt", "x")
        assert document("tokenize", f.name, "a")["tokens"] == [256, 97]  # needs no architecture
        assert document("info", f.name)["supported"] is False
    with tempfile.NamedTemporaryFile() as f:
        f.write(bytes_[:-100])
        f.flush()
        refuses(1, "", "generate", f.name, "--prompt", "x")


@case
def graphs():
    about = document("info", GRAPH)
    assert about["inputs"][0]["name"] == "x" and about["inputs"][0]["shape"] == ["1", "3", "H", "W"] and about["outputs"][0]["name"] == "y", about
    with tempfile.TemporaryDirectory() as folder:
        x = pathlib.Path(folder, "x.npy")
        head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2, 5), }"
        x.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + head.ljust(117).encode() + b"\n" + struct.pack("<30f", *[i / 10 for i in range(30)]))
        got = document("run", GRAPH, "--input", f"x={x}", "--output-dir", f"{folder}/out")["outputs"]
        assert got[0]["name"] == "y" and got[0]["shape"] == [1, 4] and got[0]["dtype"] == "f32", got
        y = struct.unpack("<4f", pathlib.Path(got[0]["file"]).read_bytes()[-16:])
        exact = document("run", GRAPH, "--exact", "--input", f"x={x}", "--output-dir", f"{folder}/exact")["outputs"]
        want = struct.unpack("<4f", pathlib.Path(exact[0]["file"]).read_bytes()[-16:])
        assert all(abs(a - b) < 1e-4 for a, b in zip(y, want)) and max(y) > 0, (y, want)
        assert document("run", GRAPH, "--input", f"x={x}", "--output-dir", f"{folder}/out", "--format", "pb")["outputs"][0]["file"].endswith("/0.pb")
        refuses(2, "'y'", "run", GRAPH, "--shape", "y=1")
        refuses(1, "[1, 3, 2]", "run", GRAPH, "--shape", "x=1x3x2")
        refuses(1, "'x'", "run", GRAPH)
        refuses(2, "--shape", "run", GRAPH, "--shape", "x=ab")
    speed = document("bench", GRAPH, "--shape", "x=1x3x8x8", "--repeat", 3)
    assert speed["latency_ms"]["min"] <= speed["latency_ms"]["median"] <= speed["latency_ms"]["max"], speed
    code, out, _ = run("explain", GRAPH, "--shape", "x=1x3x8x8")
    assert code == 0 and "conv" in out, out
    refuses(2, "language model", "run", MODEL)


@case
def interrupt_ends_cleanly():
    p = subprocess.Popen([COMMAND, "bench", MODEL, "--prompt", "200", "--generate", "0", "--repeat", "10000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    assert p.returncode == 1 and "cancelled" in err and err.count("\n") == 1, (p.returncode, out, err)


sys.exit(1 if failed else 0)
