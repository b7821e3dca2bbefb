"""Seconds of NMF of attributions: ours against scikit-learn, start (nndsvd) included.

`python -m benchmarks.nmf`. The matrix: positive and negative parts of the value's attributions to
layer 2b of the clear network, 2,048 rows per frame. They take turns; errors are compared.
"""

import argparse
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.decomposition

from benchmarks import _subject
from benchmarks._record import summary, write_result
from rlvision_jax.attribution import attribute
from rlvision_jax.factorization import NMF, fit_nmf


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

    contestants = {"rlvision_jax": by_ours, "scikit-learn": by_scikit_learn}
    start = time.perf_counter()
    by_ours(matrix, arguments.features)
    first_call = time.perf_counter() - start
    times = {name: [] for name in contestants}
    results = {}
    for _ in range(arguments.rounds):
        for name, fit in contestants.items():
            start = time.perf_counter()
            results[name] = fit(matrix, arguments.features)
            times[name].append(time.perf_counter() - start)
            print(f"{name}: {times[name][-1]:.2f} s", flush=True)
    errors = {name: relative_error(matrix, results[name][0]) for name in contestants}
    assert errors["rlvision_jax"] <= 1.001 * errors["scikit-learn"], errors

    ours = times["rlvision_jax"]
    rows = [
        {
            "contestant": name,
            "frames": arguments.frames,
            "shape": list(matrix.shape),
            "features": arguments.features,
            "iterations": results[name][1],
            "relative_error": errors[name],
            "seconds": summary(times[name]),
            "this_over_ours": summary([a / b for a, b in zip(times[name], ours, strict=True)]),
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
