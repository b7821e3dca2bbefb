"""Samples spread over two devices, in a process that has two."""

import os
import subprocess
import sys

PROGRAM = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from rlvision_jax.factorization import fit_nmf, fit_signed

mesh = Mesh(np.asarray(jax.devices()), ("data",))
assert mesh.size == 2
random = np.random.default_rng(0)
w, h = random.gamma(0.3, size=(1024, 2)), random.gamma(0.5, size=(2, 4))
matrix = (w @ h + 0.1 * random.gamma(0.5, size=(1024, 4))).astype(np.float32)
options = {"tolerance": 1e-4, "subset_samples": 256, "max_iterations": 500}
signs = random.choice([-1, 1], matrix.shape).astype(np.float32)


def compare(fit, whole, **more):
    spread = jax.device_put(whole, NamedSharding(mesh, PartitionSpec("data")))
    # One program with an all-reduce at a time: on CPU, several in flight may wait for each other.
    ours = jax.block_until_ready(fit(spread, 2, **options, **more))
    alone = jax.block_until_ready(fit(whole, 2, **options, **more))
    assert len(spread.sharding.device_set) == 2
    # Sums in another grouping: rounding, which grows over the iterations.
    np.testing.assert_allclose(ours.components, alone.components, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(ours.reconstruction_error, alone.reconstruction_error, rtol=1e-5)
    assert abs(int(ours.num_iterations) - int(alone.num_iterations)) <= 3
    assert ours.components.sharding.is_fully_replicated


compare(fit_nmf, matrix)
compare(fit_signed, matrix * signs, init="random", key=jax.random.key(0))
# Where the sharding is not known, under jit, the compiler divides the work.
spread = jax.device_put(matrix, NamedSharding(mesh, PartitionSpec("data")))
jitted = jax.jit(lambda matrix: fit_nmf(matrix, 2, subset_samples=None).reconstruction_error)
error = jax.block_until_ready(jitted(spread))
alone = fit_nmf(matrix, 2, subset_samples=None).reconstruction_error
np.testing.assert_allclose(error, alone, rtol=1e-5)
print("equal")
"""


def test_two_devices_find_what_one_finds():
    environment = os.environ | {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout.strip() == "equal", done.stderr
