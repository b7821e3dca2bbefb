from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.checkpoint import CheckpointError, TrainingState, TrainingStateStore


class Learner(NamedTuple):
    params: dict
    count: object


def state(step):
    return TrainingState(
        learner=Learner({"kernel": jnp.full((3, 2), float(step))}, jnp.int32(step)),
        collector={"env_states": np.arange(step, step + 100, dtype=np.uint8)},
        progress={"step": step, "recent": [[1.0, 2, 3, True]]},
    )


@pytest.fixture
def store(tmp_path):
    store = TrainingStateStore(tmp_path / "state")
    yield store
    store.close()


def test_what_is_loaded_is_what_was_saved(store, assert_same):
    store.save(10, state(10))
    loaded = store.load(10, state(0).learner)
    assert isinstance(loaded.learner, Learner)
    assert_same(loaded.learner, state(10).learner)
    assert loaded.learner.count.dtype == jnp.int32
    assert_same(loaded.collector, state(10).collector)
    assert loaded.collector["env_states"].dtype == np.uint8
    assert loaded.progress == state(10).progress


def test_newest_two_are_kept(store, tmp_path):
    assert store.latest_step() is None
    for step in (10, 20, 30):
        store.save(step, state(step))
    assert store.latest_step() == 30
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["20", "30"]


def test_saved_step_is_left_alone(store):
    store.save(10, state(10))
    store.save(10, state(11))
    assert store.load(10, state(0).learner).progress["step"] == 10


def test_learner_of_another_structure_is_refused(store):
    store.save(10, state(10))
    other = Learner({"kernel": jnp.zeros((3, 2)), "bias": jnp.zeros(2)}, jnp.int32(0))
    with pytest.raises(CheckpointError, match="10 is damaged or of another model"):
        store.load(10, other)


def test_damaged_checkpoint_is_refused(store, tmp_path):
    store.save(10, state(10))
    for path in (tmp_path / "state" / "10" / "learner").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:10])
    with pytest.raises(CheckpointError, match="remove that folder to continue from an earlier"):
        store.load(10, state(0).learner)
