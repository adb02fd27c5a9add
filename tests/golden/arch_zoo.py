"""Writes arch_zoo.inc: small models of the zoo (shared/zoo) with logits of the reference implementation (llama.cpp, golden.npz).

    arch_zoo.py SHARED/zoo > arch_zoo.inc

Weights are not stored: numpy's Philox4x64 under a key for each tensor yields them, and tests/arch/zoo_test.cpp yields the same.
"""
import gzip, hashlib, json, pathlib, sys
import numpy as np

MODELS = "qwen2moe-moe gemma3-dense phi3-dense gpt2-dense olmo2-dense deepseek2-moe gpt-oss-moe mamba2-dense qwen35-dense".split()
TOKENS, ROWS, COLUMNS = 9, (0, 5, 8), range(0, 128, 16)
zoo = pathlib.Path(sys.argv[1])
specs = json.loads(gzip.decompress((zoo / "specs.json.gz").read_bytes()))
golden = np.load(zoo / "golden.npz")


QUIET = "vocab_size expert_group_scale attn_logit_softcapping router_logit_softcapping final_logit_softcapping token_shift_count attention.causal".split()


def stated(key, types, value):
    """Keys that say something: the rest is as if absent."""
    name = key.split(".", 1)[1]
    if key.startswith(("general", "tokenizer")) or types[0] == 8 or name in QUIET or any(w in name for w in ("indexer", "kda", "situ", "_swa", "scaling", "rope_pattern")):
        return False
    return any(v not in (0, False, -1, 4294967295, float("-inf")) for v in (value if isinstance(value, list) else [value]))


print("// Made by arch_zoo.py; do not edit. Name, architecture, keys, tensors (name, extents, Philox key), tokens, logits.")
for m in MODELS:
    kv = {k: v for k, _, v in specs[m]["kv"]}
    arch = kv["general.architecture"]
    keys = ", ".join('{"%s", {%s}}' % (k.split(".", 1)[1], ", ".join(f"{x:.8g}" for x in (v if isinstance(v, list) else [v]))) for k, t, v in specs[m]["kv"] if stated(k, t, v))
    tensors = ", ".join(
        '{"%s", {%s}, 0x%s}' % (n, ", ".join(map(str, reversed(s))), ", 0x".join("%x" % int.from_bytes(hashlib.sha256(f"1/{m}/{n}".encode()).digest()[i:i + 8], "little") for i in (0, 8)))
        for n, s, _ in specs[m]["tensors"])
    tokens = ", ".join(map(str, golden[m + ".tokens"][:TOKENS]))
    logits = ", ".join("%.7g" % golden[m + ".logits"][r][c] for r in ROWS for c in COLUMNS)
    print(f'{{"{m}", "{arch}", {{{keys}}},\n {{{tensors}}},\n {{{tokens}}}, {{{logits}}}}},')
