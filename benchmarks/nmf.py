"""Seconds of NMF of attributions: ours against scikit-learn, start (nndsvd) included.

`python -m benchmarks.nmf`. The matrix: positive and negative parts of the value's attributions to
layer 2b of the clear network, 2,048 rows per frame. They take turns; errors are compared.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import jax
import numpy as np
import sklearn.decomposition

from benchmarks import _subject
from benchmarks._record import summary, write_result
from rlvision_jax.attribution import attribute
from rlvision_jax.factorization import fit_nmf


def by_scikit_learn(matrix: np.ndarray, num_features: int) -> dict:
    """Fits with scikit-learn's coordinate descent."""
    nmf = sklearn.decomposition.NMF(
        num_features,  # pyright: ignore[reportArgumentType] (its stub knows only "auto")
        init="nndsvd",
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nmf.fit(matrix)
    return {"error": float(nmf.reconstruction_err_), "iterations": int(nmf.n_iter_)}


def by_ours(matrix: np.ndarray, num_features: int) -> dict:
    """Fits with ours, from the same NumPy array."""
    nmf = fit_nmf(matrix, num_features)
    return {"error": float(nmf.reconstruction_error), "iterations": int(nmf.num_iterations)}


def timed(fit: Callable[[np.ndarray, int], dict], matrix: np.ndarray, num_features: int) -> dict:
    """A fit and its wall time."""
    start = time.perf_counter()
    result = fit(matrix, num_features)
    return {"seconds": time.perf_counter() - start, **result}


def main() -> None:
    """Measures and writes `results/nmf.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    policy, params = _subject.policy_and_params()
    observations = _subject.frames(arguments.frames)
    attributions = attribute(policy, params, observations, _subject.LAYER, "value")
    rows = attributions.reshape(-1, attributions.shape[-1])
    matrix = np.concatenate([np.maximum(rows, 0), np.maximum(-rows, 0)])

    first_call = timed(by_ours, matrix, arguments.features)["seconds"]
    contestants = {"rlvision_jax": by_ours, "scikit-learn": by_scikit_learn}
    runs = {name: [] for name in contestants}
    for _ in range(arguments.rounds):
        for name, fit in contestants.items():
            runs[name].append(timed(fit, matrix, arguments.features))
            print(name, runs[name][-1], flush=True)
    ours, peer = runs["rlvision_jax"], runs["scikit-learn"]
    # Never worse than 0.1% above scikit-learn's error.
    assert ours[0]["error"] <= 1.001 * peer[0]["error"], (ours[0], peer[0])

    norm = float(np.linalg.norm(matrix))
    rows = [
        {
            "contestant": name,
            "frames": arguments.frames,
            "shape": list(matrix.shape),
            "features": arguments.features,
            "iterations": runs[name][0]["iterations"],
            "relative_error": runs[name][0]["error"] / norm,
            "seconds": summary([run["seconds"] for run in runs[name]]),
            "this_over_ours": summary(
                [run["seconds"] / our["seconds"] for run, our in zip(runs[name], ours, strict=True)]
            ),
        }
        for name in contestants
    ]
    rows[0]["first_call_s"] = round(first_call, 2)
    path = write_result(
        "nmf",
        rows,
        packages=["scikit-learn", "scipy"],
        notes=f"From one NumPy array, float32; they take turns. JAX on {jax.default_backend()}.",
    )
    print(path)


if __name__ == "__main__":
    main()
