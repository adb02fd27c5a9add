#!/usr/bin/env python3
"""The stripped command stays small, and `bench` tells its size. `command_size_test.py STRIP COMMAND MODEL`"""
import json, os, subprocess, sys, tempfile

MOST = 10_000_000  # 5.3 MB of language models; the rest are the operators of ONNX and their kernels
strip, command, model = sys.argv[1:]
with tempfile.TemporaryDirectory() as d:
    small = os.path.join(d, "mainspring")
    subprocess.run([strip, "-o", small, command], check=True)
    size = os.path.getsize(small)
told = json.loads(subprocess.run([command, "bench", model, "--prompt", "1", "--generate", "0", "--repeat", "1", "--json"], check=True, capture_output=True).stdout)["command_bytes"]
print(f"{size} bytes stripped, at most {MOST}; bench says {told}")
sys.exit(0 if size < MOST and abs(told - size) < 16384 else 1)
