import numpy as np
import pytest

from rlvision_jax.studies.hallucination_finder import (
    NOT_MOVED,
    SPIKE,
    SURPRISE,
    FinderConfig,
    Limits,
    Moments,
    Readings,
    limits_of,
    moments_of,
    moves_value,
    read_maps,
    sees_its_class,
)
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.spikes import around, robust_deviation

CONFIG = FinderConfig(window=3, deviations=5.0, smallest=0.01, surprise=0.02)


def test_medians_before_and_behind_equal_a_loop_and_keep_to_the_episode():
    series = np.random.default_rng(0).normal(size=(30, 2))
    starts = np.zeros(30, bool)
    starts[[0, 11, 12]] = True
    before, behind = around(series, starts, window=3)
    for step, (begin, end) in {5: (0, 11), 10: (0, 11), 14: (12, 30), 28: (12, 30)}.items():
        near = series[max(begin, step - 3) : step], series[step + 1 : min(end, step + 4)]
        np.testing.assert_array_equal(before[step], np.median(near[0], axis=0))
        # The last step of an episode has none behind it.
        np.testing.assert_array_equal(behind[step], np.median(near[int(step != 10)], axis=0))
    np.testing.assert_array_equal(before[11], series[11])  # an episode of one step
    np.testing.assert_array_equal(before[12], np.median(series[13:16], axis=0))


def test_the_deviation_is_that_of_most_steps():
    changes = np.random.default_rng(0).normal(scale=2.0, size=(20_000, 1))
    # 20,000 draws leave an error of about 1%.
    assert robust_deviation(changes)[0] == pytest.approx(2.0, rel=0.03)
    changes[:1000] = 1e6
    assert robust_deviation(changes)[0] == pytest.approx(2.0, rel=0.1)


def test_readings_are_totals_and_strongest_positions():
    maps = np.zeros((2, 3, 4, 5, 1), np.float32)
    maps[1, 2, 3, 1, 0] = -3
    maps[1, 2, 0, 4, 0] = 2
    readings = read_maps(maps)
    assert readings.totals[1, 2, 0] == -1
    assert readings.peaks[1, 2, 0] == -3
    assert (readings.rows[1, 2, 0], readings.columns[1, 2, 0]) == (3, 1)


def trajectories():
    """Two calm trajectories of two features; noise of 0.01."""
    rng = np.random.default_rng(1)
    maps = 0.01 * rng.normal(size=(60, 2, 2, 2, 2))
    values = 5 + 0.1 * np.sin(np.arange(60) / 10)[:, None] + maps.sum((2, 3, 4))
    starts = np.zeros((60, 2), bool)
    starts[0] = True
    return maps, values, 0.01 * rng.normal(size=(60, 2)), starts


def moved(maps, values, advantages, starts):
    moments = moments_of(read_maps(maps), values, advantages, starts, CONFIG)
    return moves_value(moments, limits_of(moments, CONFIG))


def test_a_spike_in_attribution_and_value_is_found_and_nothing_else():
    maps, values, advantages, starts = trajectories()
    maps[20, 1, 1, 0, 1] += 0.5
    values[20, 1] += 0.5
    # Attribution without the value: features that cancel each other.
    maps[40, 0, 0, 0, 0] += 0.5
    values[40, 0] -= 0.2
    found = moved(maps, values, advantages, starts)
    assert np.argwhere(found == SPIKE).tolist() == [[20, 1, 1]]


def test_falling_silent_is_no_spike():
    maps, values, advantages, starts = trajectories()
    maps[:, 1, 1, 0, 1] += 0.5
    maps[20, 1, 1, 0, 1] -= 0.5
    values[20, 1] -= 0.5
    assert not (moved(maps, values, advantages, starts) == SPIKE).any()


def test_what_lasts_is_no_spike():
    maps, values, advantages, starts = trajectories()
    maps[20:40, 1, 1, 0, 1] += 0.5
    values[20:40, 1] += 0.5
    assert not (moved(maps, values, advantages, starts) == SPIKE).any()


def test_a_surprise_is_found_where_a_feature_is_strongest():
    maps, values, advantages, starts = trajectories()
    maps[20:40, 1, 1, 0, 1] += 0.5
    values[20:40, 1] += 0.5
    maps[30, 1, 1, 0, 1] += 0.02  # the strongest of these twenty steps
    advantages[30, 1] = -3
    advantages[10, 0] = 3  # no feature is strong there
    found = moved(maps, values, advantages, starts)
    assert np.argwhere(found == SURPRISE).tolist() == [[30, 1, 1]]


def test_limits_hold_the_smallest_change_in_units_of_the_values():
    totals = np.zeros((4, 1, 1))
    readings = Readings(totals, totals, totals.astype(int), totals.astype(int))
    values = np.array([[0.0], [2.0], [0.0], [2.0]])
    limits = limits_of(
        Moments(readings, np.stack([totals] * 2), values, np.stack([values] * 2), values), CONFIG
    )
    assert limits.change[0] == pytest.approx(0.01)  # the values' deviation is 1
    assert isinstance(limits, Limits)


def test_a_class_is_seen_where_the_feature_points():
    in_field = np.zeros((2, 3, 3, len(CLASSES)), bool)
    in_field[0, 1, 2, CLASSES.index("coin")] = True
    rows, columns = np.array([[1, 1, 0], [1, 1, 0]]), np.array([[2, 2, 0], [2, 2, 0]])
    readings = Readings(np.zeros((2, 3)), np.zeros((2, 3)), rows, columns)
    seen = sees_its_class(readings, in_field, ("coin", "saw", None))
    np.testing.assert_array_equal(seen, [[True, False, True], [False, False, True]])


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="surprise must be above 0 and below 1"):
        FinderConfig(surprise=1.0)
    with pytest.raises(ValueError, match="deviations must be above 0"):
        FinderConfig(deviations=0.0)
    assert NOT_MOVED == 0
