"""Frames per second of 10-step integrated gradients, value to layer 2b of the clear network.

`python -m benchmarks.attribution` (needs `pip install torch captum`). Ours against PyTorch by hand
(channels_last, the prefix once per frame) and against Captum's LayerIntegratedGradients (which runs
the whole network for every step). Every contestant first picks its best batch size; then they
take turns. Results must agree before anything is timed.
"""

import argparse
import os
import resource
import time
from collections.abc import Callable

import jax
import numpy as np

from benchmarks import _subject
from benchmarks._record import summary, write_result
from benchmarks._torch_attribution import by_captum, by_hand, make_model
from rlvision_jax.attribution import attribute, attribute_scores

NUM_STEPS = 10
ALL_SCORES = ("value", *range(15))
# contestant -> batch sizes to choose from
BATCH_SIZES = {
    "rlvision_jax": (8, 16, 32),
    "rlvision_jax, value and 15 logits": (2, 4, 8),
    "torch by hand": (8, 16, 32, 64),
    "captum": (32, 64, 128),
}

Contestant = Callable[[np.ndarray, int], np.ndarray]


def contestants(num_threads: int) -> dict[str, Contestant]:
    """Functions from frames and a batch size to attributions."""
    policy, params = _subject.policy_and_params()
    model = make_model(params, num_threads)
    _check_equal(policy, params, model)
    return {
        "rlvision_jax": lambda frames, batch_size: attribute(
            policy, params, frames, _subject.LAYER, "value", batch_size=batch_size
        ),
        "rlvision_jax, value and 15 logits": lambda frames, batch_size: (
            attribute_scores(
                policy, params, frames, _subject.LAYER, ALL_SCORES, batch_size=batch_size
            ).values
        ),
        "torch by hand": lambda frames, batch_size: by_hand(model, frames, NUM_STEPS, batch_size),
        "captum": lambda frames, batch_size: by_captum(model, frames, NUM_STEPS, batch_size),
    }


def _check_equal(policy, params, model) -> None:
    frames = _subject.frames(16)
    ours = attribute(policy, params, frames, _subject.LAYER, "value", num_steps=NUM_STEPS)
    by_torch = by_hand(model, frames, NUM_STEPS, 16)
    # Float32 sums in another order, activations at a kink of ReLU, and what the guard of the
    # pooling bends (docs/attribution.md).
    assert np.abs(ours - by_torch).max() < 1e-4 * np.abs(ours).max()
    assert np.linalg.norm(ours - by_torch) < 3e-5 * np.linalg.norm(ours)
    captum = by_captum(model, frames, NUM_STEPS, 16)
    from_black = by_hand(model, frames, NUM_STEPS, 16, from_black=True)
    assert np.abs(captum - from_black).max() < 5e-5 * np.abs(from_black).max()


def seconds(contestant: Contestant, frames: np.ndarray, batch_size: int, at_once: int) -> float:
    """One timed run, so many frames in a call."""
    start = time.perf_counter()
    for first in range(0, len(frames), at_once):
        contestant(frames[first : first + at_once], batch_size)
    return time.perf_counter() - start


def frames_at_once(name: str) -> int:
    """All 16 scores of 512 frames would take a gibibyte, which would have to be found first."""
    return 64 if "logits" in name else 256


def best_batch_size(name: str, contestant: Contestant) -> tuple[int, float]:
    """The fastest batch size, best of two each, and the time of the first call in all."""
    frames = _subject.frames(256)
    at_once = frames_at_once(name)
    first_calls, speeds = 0.0, {}
    for batch_size in BATCH_SIZES[name]:
        count = max(batch_size, 16)
        first_calls += seconds(contestant, frames[:count], batch_size, at_once)
        speeds[batch_size] = max(
            len(frames) / seconds(contestant, frames, batch_size, at_once) for _ in range(2)
        )
    print(f"{name}: frames/s by batch size {speeds}", flush=True)
    return max(speeds, key=lambda batch_size: speeds[batch_size]), first_calls


def main() -> None:
    """Measures and writes `results/attribution.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()

    methods = contestants(arguments.threads)
    chosen = {name: best_batch_size(name, method) for name, method in methods.items()}
    frames = _subject.frames(arguments.frames)
    speeds = {name: [] for name in methods}
    for _ in range(arguments.rounds):
        for name, method in methods.items():
            spent = seconds(method, frames, chosen[name][0], frames_at_once(name))
            speeds[name].append(len(frames) / spent)
            print(f"{name}: {speeds[name][-1]:.1f} frames/s", flush=True)

    ours = speeds["rlvision_jax"]
    rows = [
        {
            "contestant": name,
            "frames": len(frames),
            "num_steps": NUM_STEPS,
            "layer": _subject.LAYER,
            "scores": 16 if "logits" in name else 1,
            "dtype": "float32",
            "threads": arguments.threads,
            "frames_at_once": frames_at_once(name),
            "batch_size": chosen[name][0],
            "first_calls_s": round(chosen[name][1], 2),
            "frames_per_s": summary(speeds[name]),
            "ours_over_this": summary([a / b for a, b in zip(ours, speeds[name], strict=True)]),
        }
        for name in methods
    ]
    path = write_result(
        "attribution",
        rows,
        packages=["torch", "captum", "flax"],
        notes=(
            "Contestants take turns in one process; ratios are of neighbouring runs. first_calls_s "
            "is the first call at every batch size tried, compilation included. Peak memory of the "
            f"process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB. "
            f"JAX on {jax.default_backend()}."
        ),
    )
    print(path)


if __name__ == "__main__":
    main()
