#!/usr/bin/env python3
"""Writes quant_blocks.inc: blocks of every GGUF format with a hash of what they decode to.

Provenance: bytes are two blocks of each model in the formats directory (argument 1: the files NAME.gguf) and two of random bytes; values come from
gguf.quants.dequantize of Python's gguf package (0.19.0), except Q1_0, which it does not know and which is decoded below.
    quant_make.py FORMATS_DIR > quant_blocks.inc
`quant_make.py --grids` prints the packed tables of lib/quant/iq_grids.cpp, taken from the same package.
`quant_make.py FORMATS_DIR LIBRARY.so` instead compares all tensors of all files, bit for bit, with the C function q_decode(type, in, n, out) of LIBRARY.so.
"""
import ctypes, pathlib, sys
import numpy as np, gguf
from gguf import GGMLQuantizationType as T

BLOCKS = "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS TQ1_0 TQ2_0 MXFP4 Q1_0".split()


def decode(raw, kind):
    raw = np.ascontiguousarray(raw).view(np.uint8)
    if kind == T.Q1_0:
        b = raw.reshape(-1, 18)
        d = b[:, :2].copy().view(np.float16).astype(np.float32)
        return np.where(np.unpackbits(b[:, 2:], axis=1, bitorder="little") != 0, d, -d).astype(np.float32).ravel()
    if kind in (T.F32, T.F16):
        return raw.view({T.F32: np.float32, T.F16: np.float16}[kind]).astype(np.float32).ravel()
    return gguf.quants.dequantize(raw.reshape(-1, gguf.GGML_QUANT_SIZES[kind][1]), kind).astype(np.float32).ravel()


def fnv(words):
    h = 0xCBF29CE484222325
    for w in words.tolist():
        h = ((h ^ w) * 0x100000001B3) & (1 << 64) - 1
    return h


def goldens(formats):
    rng = np.random.default_rng(20)
    print("// Written by quant_make.py; its text says where this comes from. QUANT_GOLDEN(dtype, bytes of blocks, FNV-1a of the decoded words, first, middle, last word)")
    for name in BLOCKS:
        kind = T[name]
        size = gguf.GGML_QUANT_SIZES[kind][1]
        tensors = [t for t in gguf.GGUFReader(formats / f"{name}.gguf").tensors if t.tensor_type == kind]
        raw = [np.asarray(tensors[i].data).view(np.uint8).ravel()[:size] for i in (0, -1)]
        while len(raw) < 4:
            b = rng.integers(0, 256, size, dtype=np.uint8)
            if np.isfinite(decode(b, kind)).all():
                raw.append(b)
        for b in raw:
            w = decode(b, kind).view(np.uint32)
            print(f'QUANT_GOLDEN({name.lower()}, "{b.tobytes().hex()}", 0x{fnv(w):016x}u, 0x{w[0]:08x}u, 0x{w[len(w) // 2]:08x}u, 0x{w[-1]:08x}u)')


def compare(formats, library):
    lib = ctypes.CDLL(library)
    bad = 0
    for path in sorted(formats.glob("*.gguf")):
        n, differ = 0, 0
        for t in gguf.GGUFReader(path).tensors:
            raw = np.ascontiguousarray(t.data).view(np.uint8).ravel()
            want = decode(raw, t.tensor_type)
            got = np.empty_like(want)
            lib.q_decode(ctypes.c_uint(t.tensor_type), raw.ctypes.data_as(ctypes.c_void_p), ctypes.c_long(want.size), got.ctypes.data_as(ctypes.c_void_p))
            n, differ = n + want.size, differ + int(np.count_nonzero(got.view(np.uint32) != want.view(np.uint32)))
        print(f"{path.name}: {n} values, {differ} differ")
        bad += differ
    return 1 if bad else 0


def grids():
    q = gguf.quants
    tables = [("kIq1", q.IQ1_S, 2), ("kIq2Xxs", q.IQ2_XXS, 2), ("kIq2Xs", q.IQ2_XS, 2), ("kIq2S", q.IQ2_S, 2), ("kIq3Xxs", q.IQ3_XXS, 4), ("kIq3S", q.IQ3_S, 4)]
    for name, cls, bits in tables:
        cls.init_grid()
        code = {int(v): i for i, v in enumerate(cls.grid_map)}
        packed = [sum(code[int(v)] << bits * j for j, v in enumerate(row)) for row in np.asarray(cls.grid).reshape(cls.grid_shape)]
        print(f"constexpr uint16_t {name}[{len(packed)}] = {{")
        for i in range(0, len(packed), 16):
            print("    " + " ".join(f"0x{v:04x}," for v in packed[i:i + 16]))
        print("};\n")


if __name__ == "__main__":
    np.seterr(all="ignore")
    if sys.argv[1] == "--grids":
        sys.exit(grids())
    directory = pathlib.Path(sys.argv[1])
    sys.exit(compare(directory, sys.argv[2]) if len(sys.argv) > 2 else goldens(directory))
