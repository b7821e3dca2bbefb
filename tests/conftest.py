import os
import pathlib
import shutil
import tempfile

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from rlvision_jax import models

jax.config.update("jax_numpy_rank_promotion", "raise")


def pytest_configure(config):
    """Lets all processes of a session share what one has compiled; no two sessions share anything.

    The processes are this one, pytest-xdist's workers and those that tests start.
    """
    if not hasattr(config, "workerinput"):
        folder = tempfile.mkdtemp(prefix="rlvision-jax-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder))
        os.environ.update(
            JAX_COMPILATION_CACHE_DIR=folder,
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
        )
    # JAX has read the environment already.
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="session")
def golden():
    """Loads one file of `tests/golden` (outputs of the original code; see its README)."""
    folder = pathlib.Path(__file__).parent / "golden"
    return lambda name: dict(np.load(folder / name))


@pytest.fixture(scope="session")
def golden_policy():
    """The clear network whose outputs `tests/golden` holds, and its parameters.

    Drawn as the original run drew them: by name, from one NumPy RandomState.
    """
    policy = models.make("clear", num_actions=15)
    shapes = jax.eval_shape(policy.init, jax.random.key(0))["params"]
    places = {name: (name,) for name in shapes if name != "heads"}
    places |= {"pi": ("heads", "policy"), "v": ("heads", "value")}
    random = np.random.RandomState(101)
    params: dict = {"heads": {}}
    for _, path in sorted(places.items()):
        module_shapes, module = shapes, params
        for key in path:
            module_shapes, module = module_shapes[key], module.setdefault(key, {})
        for key in ("bias", "kernel"):
            shape = module_shapes[key].shape
            deviation = 0.05 if key == "bias" else np.sqrt(2 / np.prod(shape[:-1]))
            module[key] = jnp.asarray(random.randn(*shape) * deviation, jnp.float32)
    return policy, {"params": params}


@pytest.fixture
def as_in_production(monkeypatch):
    """Switches run-time checks of annotations off, so that a wrong type reaches our own check."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
