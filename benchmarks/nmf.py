"""Seconds of NMF of attributions: ours against scikit-learn, start (nndsvd) included.

`python -m benchmarks.nmf`. The matrix: positive and negative parts of the value's attributions to
layer 2b of the clear network, 2,048 rows per frame. They take turns, each in a process of its own;
ours are timed at their second call, as the first one compiles. Errors are compared.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.decomposition

from benchmarks import _subject
from benchmarks._record import summary, write_result
from rlvision_jax.attribution import attribute
from rlvision_jax.factorization import NMF, fit_nmf, fit_signed


def by_scikit_learn(matrix: np.ndarray, num_features: int) -> tuple[np.ndarray, int]:
    """Components and iterations of scikit-learn's coordinate descent."""
    nmf = sklearn.decomposition.NMF(
        num_features,  # pyright: ignore[reportArgumentType] (its stub knows only "auto")
        init="nndsvd",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nmf.fit(matrix)
    return nmf.components_, int(nmf.n_iter_)


def by_ours(matrix: np.ndarray, num_features: int) -> tuple[np.ndarray, int]:
    """Components and iterations of ours, from the same NumPy array."""
    nmf = fit_nmf(matrix, num_features)
    return np.asarray(nmf.components), int(nmf.num_iterations)


def by_ours_signed(attributions: np.ndarray, num_features: int) -> tuple[np.ndarray, int]:
    """The same from the attributions, which are taken apart on the way."""
    nmf = fit_signed(attributions, num_features)
    return np.asarray(nmf.components), int(nmf.num_iterations)


CONTESTANTS = {
    "rlvision_jax": by_ours,
    "scikit-learn": by_scikit_learn,
    "rlvision_jax fit_signed": by_ours_signed,
}


def relative_error(matrix: np.ndarray, components: np.ndarray) -> float:
    """Norm of what the best W leaves, in float64; scikit-learn's own figure is a float32 sum."""
    nmf = NMF(
        components=jnp.asarray(components),
        reconstruction_error=jnp.zeros(()),
        num_iterations=jnp.zeros((), int),
    )
    squares = norm = 0.0
    for rows in np.array_split(matrix, max(len(matrix) // 2**16, 1)):
        w = np.asarray(nmf.transform(rows), np.float64)
        squares += np.sum((rows - w @ components.astype(np.float64)) ** 2)
        norm += np.sum(rows.astype(np.float64) ** 2)
    return float(np.sqrt(squares / norm))


def cosines(components: np.ndarray, others: np.ndarray) -> list[float]:
    """Between directions of the same number."""
    a, b = (h / np.linalg.norm(h, axis=1, keepdims=True) for h in (components, others))
    return [round(float(cosine), 5) for cosine in np.sum(a * b, 1)]


def measure(name: str, path: Path, num_features: int) -> dict:
    """What a process of its own finds out about one contestant; see `work`."""
    command = [sys.executable, "-m", "benchmarks.nmf", "--contestant", name, "--matrix", str(path)]
    command += ["--features", str(num_features)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def work(name: str, path: Path, num_features: int) -> None:
    """Fits the array saved at `path`; prints time, memory and result."""
    fit, rows = CONTESTANTS[name], np.load(path)
    jax.block_until_ready(jnp.zeros(1))
    before = _peak_kib()
    calls = []
    for _ in range(1 if name == "scikit-learn" else 2):
        start, start_cpu = time.perf_counter(), time.process_time()
        components, iterations = fit(rows, num_features)
        calls.append((time.perf_counter() - start, time.process_time() - start_cpu))
    added = _peak_kib() - before
    found = {
        "seconds": calls[-1][0],
        "cpu_seconds": calls[-1][1],
        "first_call_s": round(calls[0][0], 2),
        "rows_mib": rows.nbytes // 2**20,
        "peak_added_mib": added // 1024,
        "iterations": iterations,
        "components": components.tolist(),
    }
    print(json.dumps(found))


def _peak_kib() -> int:
    """Peak of this process's resident memory (getrusage's would include its parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """Measures and writes `results/nmf.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1024)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--matrix", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contestant:
        work(arguments.contestant, arguments.matrix, arguments.features)
        return

    policy, params = _subject.policy_and_params()
    observations = _subject.frames(arguments.frames)
    attributions = attribute(policy, params, observations, _subject.LAYER, "value")
    attributions = np.asarray(attributions).reshape(-1, attributions.shape[-1])
    matrix = np.concatenate([np.maximum(attributions, 0), np.maximum(-attributions, 0)])

    found = {name: [] for name in CONTESTANTS}
    with tempfile.TemporaryDirectory() as folder:
        for kind, rows in (("matrix", matrix), ("attributions", attributions)):
            np.save(Path(folder) / f"{kind}.npy", rows)
        for _ in range(arguments.rounds):
            for name, fit in CONTESTANTS.items():
                kind = "attributions" if fit is by_ours_signed else "matrix"
                path = Path(folder) / f"{kind}.npy"
                found[name].append(measure(name, path, arguments.features))
                print(f"{name}: {found[name][-1]['seconds']:.2f} s", flush=True)

    components = {name: np.asarray(runs[-1]["components"]) for name, runs in found.items()}
    errors = {name: relative_error(matrix, components[name]) for name in CONTESTANTS}
    assert max(errors.values()) <= 1.001 * errors["scikit-learn"], errors

    def ratios(name: str, field: str) -> dict[str, float | int]:
        pairs = zip(found[name], found["rlvision_jax"], strict=True)
        return summary([theirs[field] / ours[field] for theirs, ours in pairs])

    rows = [
        {
            "contestant": name,
            "frames": arguments.frames,
            "shape": list(matrix.shape),
            "features": arguments.features,
            "iterations": runs[-1]["iterations"],
            "relative_error": errors[name],
            "cosines_with_scikit_learn": cosines(components[name], components["scikit-learn"]),
            "seconds": summary([run["seconds"] for run in runs]),
            "this_over_ours": ratios(name, "seconds"),
            "cpu_seconds": summary([run["cpu_seconds"] for run in runs]),
            "this_over_ours_cpu": ratios(name, "cpu_seconds"),
            "first_call_s": runs[-1]["first_call_s"],
            "rows_mib": runs[-1]["rows_mib"],
            "peak_added_mib": max(run["peak_added_mib"] for run in runs),
        }
        for name, runs in found.items()
    ]
    path = write_result(
        "nmf",
        rows,
        packages=["scikit-learn", "scipy"],
        notes=f"From one NumPy array, float32; they take turns. JAX on {jax.default_backend()}. "
        "Errors by one function in float64. Iterations of ours: those on the subset and the passes "
        "over all rows. Peak memory beyond the array, compilation included.",
    )
    print(path)


if __name__ == "__main__":
    main()
