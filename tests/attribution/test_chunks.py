import os
import subprocess
import sys
import threading

import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import attribute
from rlvision_jax.attribution.chunks import chunk_size, map_chunks


def test_every_frame_is_computed_once_whatever_the_last_chunk_lacks():
    frames = np.arange(11, dtype=np.float32)
    positions = np.stack([frames, -frames], 1)
    calls = []

    @jax.jit
    def compiled(chunk):
        frames, (positions, nothing) = chunk
        assert nothing is None
        return frames + positions[:, 0], positions

    def function(chunk):
        if isinstance(chunk[0], np.ndarray):  # not the look at the shapes
            calls.append(len(chunk[0]))
        return compiled(chunk)

    sums, same = map_chunks(function, (frames, (positions, None)), 4)
    np.testing.assert_array_equal(sums, 2 * frames)
    np.testing.assert_array_equal(same, positions)
    assert calls == [4, 4, 4]


@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two cores")
def test_cores_share_the_chunks():
    together = threading.Barrier(2, timeout=30)

    def function(chunk):
        if isinstance(chunk, np.ndarray):
            together.wait()  # breaks unless two chunks are under way at once
        return (chunk,)

    (same,) = map_chunks(function, np.arange(8), 1)
    np.testing.assert_array_equal(same, np.arange(8))


def test_an_error_in_a_chunk_reaches_the_caller():
    def function(chunk):
        if isinstance(chunk, np.ndarray) and chunk[0] == 3:
            raise FloatingPointError("chunk 3")
        return (chunk,)

    with pytest.raises(FloatingPointError, match="chunk 3"):
        map_chunks(function, np.arange(8), 1)


def test_chunks_are_no_larger_than_what_there_is():
    assert chunk_size(100, 16) == 16
    assert chunk_size(5, 16) == 5
    assert chunk_size(100, work_per_frame=1000) == 1
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1; got 0"):
        chunk_size(5, 0)


_ON_TWO_DEVICES = """
import sys

import jax
import numpy as np
from rlvision_jax import models
from rlvision_jax.attribution import attribute
from rlvision_jax.attribution.chunks import chunk_size

assert jax.local_device_count() == 2
assert chunk_size(7, 2) == 4
policy = models.make("nature", num_actions=3, observation_shape=(36, 36, 1))
params = policy.init(jax.random.key(0))
frames = np.random.default_rng(0).integers(0, 256, (7, 36, 36, 1), np.uint8)
np.save(sys.argv[1], attribute(policy, params, frames, "conv1", "value", batch_size=2))
"""


@pytest.mark.slow
def test_two_devices_find_what_one_finds(tmp_path):
    policy = models.make("nature", num_actions=3, observation_shape=(36, 36, 1))
    params = policy.init(jax.random.key(0))
    frames = np.random.default_rng(0).integers(0, 256, (7, 36, 36, 1), np.uint8)
    done = subprocess.run(
        [sys.executable, "-c", _ON_TWO_DEVICES, tmp_path / "attributions.npy"],
        env=os.environ
        | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    on_two = np.load(tmp_path / "attributions.npy")
    on_one = attribute(policy, params, frames, "conv1", "value")
    # Other batches, so other blocks of the same sums: rounding only.
    scale = np.abs(on_one).max()
    np.testing.assert_allclose(on_two / scale, on_one / scale, atol=1e-5)
