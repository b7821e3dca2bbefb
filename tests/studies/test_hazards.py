"""Which feature looks at a hazard, on maps of which it is known."""

import numpy as np
import pytest

from rlvision_jax.studies.hazards import NamedFeatures, class_excess
from rlvision_jax.studies.object_classes import CLASSES

SAW, WALL, LAVA, ENEMY = (CLASSES.index(name) for name in ("saw", "wall", "lava", "enemy"))


def test_a_detector_has_what_chance_leaves():
    """In 1 of 4 frames a saw lies at the place that is looked at: 1 - 1/4 beyond chance."""
    named = np.full((4, 2, 2), WALL, np.int8)
    named[0, 1, 0] = SAW
    maps = np.zeros((4, 2, 2, 3))
    maps[0, 1, 0, 0] = -3.0  # detects the saw; the sign does not count
    maps[:, 1, 0, 1] = 1.0  # looks there whatever is there
    excess = class_excess(maps, named)
    np.testing.assert_allclose(excess[:, SAW], [0.75, 0, 0])
    np.testing.assert_allclose(excess[:, WALL], [-0.75, 0, 0])
    np.testing.assert_allclose(excess.sum(1), 0, atol=1e-15)  # every position has one class


def test_random_maps_have_no_excess():
    rng = np.random.default_rng(0)
    named = rng.choice([SAW, WALL], (500, 4, 4)).astype(np.int8)
    excess = class_excess(rng.gamma(1.0, size=(500, 4, 4, 2)), named)
    # 8,000 positions of gamma-distributed weight: deviation 0.5 sqrt(2 / 8000) = 0.008; five of it.
    assert np.abs(excess).max() < 0.04


def features(excess, totals):
    table = np.zeros((len(excess), len(CLASSES)))
    for row, values in zip(table, excess, strict=True):
        for index, value in values.items():
            row[index] = value
    return NamedFeatures(np.eye(len(excess), dtype=np.float32), table, np.asarray(totals, float))


def test_the_control_is_the_strongest_that_avoids_hazards():
    harmless = {SAW: -0.1, ENEMY: -0.1, LAVA: -0.1}
    found = features(
        [{SAW: 0.2}, {SAW: 0.3}, harmless, {**harmless, LAVA: 0.01}, harmless],
        [9.0, 1.0, 2.0, 8.0, 1.0],
    )
    assert found.looks_at("saw") == 1
    assert found.looks_at("lava") == 3
    assert found.of_no_hazard() == 2


def test_where_all_look_at_hazards_the_least_is_the_control():
    assert features([{SAW: 0.2}, {LAVA: 0.05}, {ENEMY: 0.1}], [1, 2, 3]).of_no_hazard() == 1


def test_a_feature_of_like_strength_hardly_looks_at_the_hazard():
    excess = [{SAW: 0.3}, {SAW: 0.04}, {SAW: 0.02, LAVA: 0.2}, {SAW: -0.2}, {}]
    assert features(excess, [2.0, 2.0, 3.0, 1.2, 0.0]).of_like_strength("saw") == 2
    assert features(excess, [2.0, 2.0, 3.6, 1.2, 0.0]).of_like_strength("saw") == 3
    assert features(excess[:2], [1.0, 1.0]).of_like_strength("saw") is None


def test_a_hazard_that_nothing_looks_at_is_an_error():
    with pytest.raises(ValueError, match="no feature looks at saw more than by chance"):
        features([{SAW: -0.1}, {LAVA: 0.1}], [1, 1]).looks_at("saw")
    with pytest.raises(ValueError, match='unknown class of objects "bee"'):
        features([{SAW: 0.1}], [1]).looks_at("bee")


def test_features_come_back_from_json():
    found = features([{SAW: 1 / 3}, {LAVA: 0.1}], [1 / 3, 1])
    again = NamedFeatures.from_json(found.to_json())
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), value)
