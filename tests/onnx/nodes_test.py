#!/usr/bin/env python3
"""The ONNX project's own tests of operators and small models, from its Python package, through `mainspring run`.

    nodes_test.py COMMAND FOLDER              every case; those in KNOWN may fail, for the reason that stands there
    nodes_test.py COMMAND FOLDER --passes     a sample of them with each pass switched off in turn: the results stay
    nodes_test.py COMMAND FOLDER PATTERN…     the cases with one of these in their name

FOLDER holds a virtual environment with the package and what it makes; nothing of it is in the repository. Exit code 77: PyPI cannot be reached.
"""
import concurrent.futures, os, pathlib, pickle, re, subprocess, sys, tempfile, venv

ONNX = "onnx==1.23.2"
SKIP = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]

KNOWN = {  # regular expression of names → why the case fails
    r"image_decoder": "codecs of pictures are the host's business",
    r"bernoulli": "random draws: the expected ones are NumPy's",
    r"gradient_of_add": "training: the operator Gradient",
    r"dft_inverse": "expects the rounding error of NumPy's own transform, within 1e-7",
    r"attention_4d_causal_fp16_expanded": "the products are fused and rounded to f16 once, the expected values after each operator",
}


def package(folder):
    """Runs this script again under a Python that has the package; makes it where there is none."""
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / "venv" / f"{ONNX}.ready"
    if not ready.exists():
        venv.create(folder / "venv", with_pip=True, clear=True)
        got = subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", ONNX, "numpy"], capture_output=True, text=True)
        if got.returncode:
            print(f"skipped: pip cannot install {ONNX}: {(got.stderr.strip().splitlines() or ['no message'])[-1]}")
            sys.exit(SKIP)
        ready.touch()
    sys.exit(subprocess.run([python, __file__, *sys.argv[1:], "--inside"]).returncode)


def main():
    import numpy as np
    import onnx
    from onnx import numpy_helper

    def message(value, type, name):
        """A value of a case as the message that the command reads."""
        if hasattr(value, "SerializeToString"):
            return value
        if type.HasField("sequence_type"):
            return numpy_helper.from_list(value, name)
        if type.HasField("optional_type"):
            return numpy_helper.from_optional(value, name)
        return numpy_helper.from_array(np.asarray(value), name)

    def value_of(data, type):
        m = onnx.SequenceProto() if type.HasField("sequence_type") else onnx.OptionalProto() if type.HasField("optional_type") else onnx.TensorProto()
        m.ParseFromString(data)
        return numpy_helper.to_list(m) if type.HasField("sequence_type") else numpy_helper.to_optional(m) if type.HasField("optional_type") else numpy_helper.to_array(m)

    def cases_of(kind):
        """Name, model bytes, its messages in and out of each set, tolerances."""
        from onnx.backend.test.loader import load_model_tests
        from onnx.backend.test.runner import Runner
        np.seterr(all="ignore")
        for case in load_model_tests(kind=kind):
            sets = []
            if case.model is not None:
                model = case.model
                ports = list(model.graph.input), list(model.graph.output)
                for values in case.data_sets:
                    sets.append([[message(v, p.type, p.name).SerializeToString() for v, p in zip(side, ps)] for side, ps in zip(values, ports)])
            else:
                light = (case.url or "").startswith("onnx/backend/test/data/light/")
                path = pathlib.Path(onnx.__file__).parent.parent / case.url if light else pathlib.Path(case.model_dir or "/none") / "model.onnx"
                if not path.exists():
                    continue
                model = onnx.load(path)
                given = {i.name for i in model.graph.initializer}
                ports = [i for i in model.graph.input if i.name not in given], list(model.graph.output)
                if light:
                    ins = [numpy_helper.from_array(Runner.generate_dummy_data(p, seed=0, name=case.model_name, random=False), p.name).SerializeToString() for p in ports[0]]
                    sets.append([ins, [pathlib.Path(f"{path.with_suffix('')}_output_{i}.pb").read_bytes() for i in range(len(ports[1]))]])
                else:
                    for d in sorted(path.parent.glob("test_data_set_*")):
                        sets.append([[(d / f"{side}_{i}.pb").read_bytes() for i in range(len(ps)) if (d / f"{side}_{i}.pb").exists()] for side, ps in zip(("input", "output"), ports)])
            yield case.name, {"model": model.SerializeToString(), "in": [p.name for p in ports[0]], "types": [p.type.SerializeToString() for p in ports[1]], "sets": sets, "rtol": case.rtol, "atol": case.atol}

    def difference(got, want, rtol, atol):
        """As onnx.backend.test.runner compares, element types of narrow floats widened."""
        if got is None or want is None:
            return None if got is want else "one of them is nothing"
        if isinstance(want, (list, tuple)):
            if not isinstance(got, (list, tuple)) or len(got) != len(want):
                return "the sequence has another length"
            return next(filter(None, (difference(g, w, rtol, atol) for g, w in zip(got, want))), None)
        got, want = np.asarray(got), np.asarray(want)
        if got.shape != want.shape:
            return f"shape {got.shape}, expected {want.shape}"
        if want.dtype == object or want.dtype.kind in "SUT":
            plain = lambda a: [x.decode() if isinstance(x, bytes) else str(x) for x in a.ravel()]
            return None if plain(got) == plain(want) else "strings differ"
        if got.dtype != want.dtype:
            return f"type {got.dtype}, expected {want.dtype}"
        if want.dtype.name == "bfloat16":
            rtol = max(rtol, 2**-6)
        if want.dtype.kind not in "fciub":
            got, want = got.astype(np.float32), want.astype(np.float32)
        if np.allclose(got, want, rtol=rtol, atol=atol, equal_nan=True):
            return None
        return f"values differ by up to {np.nanmax(np.abs(got.astype(complex) - want.astype(complex))):.2e}"

    def failure(name, case, passes=None):
        environment = dict(os.environ) if passes is None else {**os.environ, "MAINSPRING_PASSES": passes}
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            (work / "model.onnx").write_bytes(case["model"])
            for inputs, outputs in case["sets"]:
                line = [command, "run", work / "model.onnx", "--output-dir", work / "out", "--format", "pb"]
                for i, (port, data) in enumerate(zip(case["in"], inputs)):
                    (work / f"{i}.pb").write_bytes(data)
                    line += ["--input", f"{port}={work / str(i)}.pb"]
                ran = subprocess.run(line, capture_output=True, env=environment)
                if ran.returncode:
                    return f"exit {ran.returncode}: {ran.stderr.decode(errors='replace').strip()}"
                for i, want in enumerate(outputs):
                    type = onnx.TypeProto.FromString(case["types"][i])
                    try:
                        differs = difference(value_of((work / "out" / f"{i}.pb").read_bytes(), type), value_of(want, type), case["rtol"], case["atol"])
                    except Exception as e:
                        differs = f"{e.__class__.__name__}: {e}"
                    if differs:
                        return f"output {i}: {differs}"
        return None

    command, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    words = [a for a in sys.argv[3:] if not a.startswith("--")]
    made = folder / f"cases-{onnx.__version__}.pickle"
    if not made.exists():
        cases = {}
        for kind in ("node", "simple", "pytorch-converted", "pytorch-operator", "real"):
            cases.update((f"{kind}/{name}", case) for name, case in cases_of(kind))
        made.with_suffix(".part").write_bytes(pickle.dumps(cases))
        made.with_suffix(".part").rename(made)
    cases = pickle.loads(made.read_bytes())
    if len(cases) < 1500:
        print(f"{len(cases)} cases, expected at least 1500: the package has changed")
        return 1
    reason = lambda name: next((why for pattern, why in KNOWN.items() if re.search(pattern, name)), None)
    names = sorted(n for n in cases if not words or any(w in n for w in words))
    jobs = [(n, None) for n in names]
    if "--passes" in sys.argv:
        table = (ROOT / "lib/passes/passes.inc").read_text()
        passes = re.findall(r"^MAINSPRING_PASS\((\w+)\)", table, flags=re.M)
        # What passes rewrite: whole graphs, and operators in several nodes.
        sample = [n for n in names if not reason(n) and (n.startswith(("simple/", "pytorch-converted/")) or re.search(r"_expanded$|qlinear|quantize|softmax|normalization|squeezenet|shufflenet|gru|lstm", n))][::4]
        jobs = [(n, ",".join(f"-{p}" for p in off)) for n in sample for off in [[p] for p in passes] + [passes]]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: failure(job[0], cases[job[0]], job[1]), jobs))
    wrong, known, passed = 0, 0, 0
    for (name, off), failed in zip(jobs, results):
        if not failed:
            passed += 1
        elif reason(name):
            known += 1
        else:
            wrong += 1
            print(f"FAIL {name}{f' with MAINSPRING_PASSES={off}' if off else ''}: {failed}")
    print(f"{passed} passed, {known} fail for known reasons, {wrong} fail")
    return 0 if wrong == 0 and passed else 1


if "--inside" in sys.argv:
    sys.exit(main())
folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
package(folder)
