"""Saves twice, and dies or runs out of space at the second; run as a script by the tests.

For each file operation of a save at which to die, it makes a folder `<what>-<number>`, and
prints a JSON object: folder -> exit status.
"""

import json
import resource
import shutil
import sys
from pathlib import Path

import jax
import numpy as np
from dying import finish, kill_at_event, start

from rlvision_jax import checkpoint, models

POLICY = models.Policy("nature", 2, (36, 36, 3))
MANY = 10_000


def params(value):
    """Parameters of the policy, all equal."""
    shapes = jax.eval_shape(POLICY.init, jax.random.key(0))
    return jax.tree.map(lambda shape: np.full(shape.shape, value, shape.dtype), shapes)


def state(step):
    return checkpoint.TrainingState(
        learner={"weights": np.random.default_rng(step).normal(size=(500, 500))},
        collector={"frames": np.full(1000, step, np.uint8)},
        progress={"step": step},
    )


def save_agent(folder, step, die_at=None):
    values = params(step)
    if die_at:
        kill_at_event(die_at, folder)
    checkpoint.save(folder, POLICY, values, {"step": step})


def save_state(folder, step, die_at=None):
    store = checkpoint.TrainingStateStore(folder)
    if die_at:
        kill_at_event(die_at, folder)
    store.save(step, state(step))
    store.close()


def second_save_without_space(folder):
    # Files may grow to half the size of the arrays to be saved.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    try:
        save_state(folder, 2)
    except OSError as error:
        Path(f"{folder}.error").write_text(str(error))


def main():
    folder = Path(sys.argv[1])
    statuses = {}
    for what, save, points in (
        ("agent", save_agent, (1, 2, 3, 4, 5, 6, 7, 8, 9, MANY)),
        ("state", save_state, (1, 5, 10, 15, 20, 25, 30, 35, MANY)),
    ):
        assert finish(start(lambda: save(folder / what, 1))) == 0  # noqa: B023
        for point in points:
            copy = folder / f"{what}-{point}"
            shutil.copytree(folder / what, copy)
            pid = start(lambda: save(copy, 2, die_at=point))  # noqa: B023
            statuses[copy.name] = finish(pid)
    full = folder / "full"
    shutil.copytree(folder / "state", full)
    statuses["full"] = finish(start(lambda: second_save_without_space(full)))
    print(json.dumps(statuses))


if __name__ == "__main__":
    main()
