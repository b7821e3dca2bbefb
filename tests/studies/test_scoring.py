import dataclasses

import numpy as np
import pytest

from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.scoring import ScoreConfig, score_feature

SAW, COIN, WALL, BACKGROUND = map(CLASSES.index, ("saw", "coin", "wall", "background"))
CONFIG = ScoreConfig(strongest=0.5, resamples=200)
NUM_FRAMES, SIDE = 40, 10
GROUPS = np.arange(NUM_FRAMES) // 2


@pytest.fixture
def named():
    """A saw in every frame, on a diagonal; a coin in every second one, beside it."""
    named = np.full((NUM_FRAMES, SIDE, SIDE), BACKGROUND, np.int8)
    place = np.arange(NUM_FRAMES) % SIDE
    named[np.arange(NUM_FRAMES), place, place] = SAW
    even = np.arange(0, NUM_FRAMES, 2)
    named[even, place[even], (place[even] + 1) % SIDE] = COIN
    return named


def is_at(named, index):
    return (named == index).astype(np.float32)


def test_the_score_of_an_exact_detector_is_worked_out_by_hand(named):
    score = score_feature(is_at(named, SAW), named, GROUPS, CONFIG)
    # At each of its places one frame in ten shows the saw; of 20 frames that has an error of 0.067.
    chance = 0.1 + 2 * np.sqrt(0.1 * 0.9 / 20)
    expected = {"hits": 1.0, "chance": chance, "consistency": 1.0, "coverage": 1.0, "score": 1.0}
    for part, value in expected.items():
        assert getattr(score, part) == pytest.approx(value), part
    assert score.object_class == "saw"
    assert score.interval == pytest.approx((1.0, 1.0))


def test_consistency_is_the_share_of_hits_beyond_chance(named):
    # The 20 strongest frames: 15 on the saw, strength 2; five on a fixed corner, strength 4.
    strengths = 0.1 * is_at(named, SAW)
    strengths[:15] *= 20
    strengths[15:20] = 0
    strengths[15:20, 0, 9] = 4
    score = score_feature(strengths, named, GROUPS, CONFIG)
    hits = 15 * 2 / (15 * 2 + 5 * 4)
    # In the corner there never is a saw.
    chance = 0.1 * hits
    weights = np.array([2.0] * 15 + [4.0] * 5) / 50
    chance += 2 * np.sqrt(chance * (1 - chance) * (weights**2).sum())
    assert score.object_class == "saw"
    assert score.hits == pytest.approx(hits)
    assert score.chance == pytest.approx(chance)
    assert score.consistency == pytest.approx((hits - chance) / (1 - chance))
    # Elsewhere it is silent in the median frame, so it is louder on the saw in all but five.
    assert score.coverage == pytest.approx(35 / 40)


def test_the_background_is_consistent_but_does_not_matter(named):
    named = named.copy()
    named[::2, :5][named[::2, :5] == BACKGROUND] = WALL
    named[1::2, 5:][named[1::2, 5:] == BACKGROUND] = WALL
    score = score_feature(is_at(named, BACKGROUND), named, GROUPS, CONFIG)
    assert score.object_class == "background"
    assert score.consistency == pytest.approx(1.0)
    assert score.relevance == score.score == 0.0
    assert score.interval == (0.0, 0.0)


def test_a_fixed_place_is_no_evidence_of_an_object(named):
    named = named.copy()
    named[:, 5, 5] = COIN
    strengths = np.zeros_like(named, np.float32)
    strengths[:, 5, 5] = 1
    score = score_feature(strengths, named, GROUPS, CONFIG)
    assert score.object_class is None
    assert score.score == 0.0


def test_a_place_that_nearly_always_shows_an_object_proves_little(named):
    named = named.copy()
    named[1:, 5, 5] = COIN
    strengths = np.zeros_like(named, np.float32)
    strengths[1:, 5, 5] = 1
    # All hits, 39 in 40 by chance: of 20 frames as many hit by luck more often than not.
    assert score_feature(strengths, named, GROUPS, CONFIG).object_class is None


def test_frames_count_by_strength_and_the_weak_ones_not_at_all(named):
    strengths = is_at(named, SAW)
    strengths[20:] = 0.01 * is_at(named, BACKGROUND)[20:]
    score = score_feature(strengths, named, GROUPS, CONFIG)
    assert score.hits == pytest.approx(1.0)
    half_weak = dataclasses.replace(CONFIG, strongest=1.0)
    score = score_feature(strengths, named, GROUPS, half_weak)
    assert score.hits == pytest.approx(20 / 20.2)  # float32 strengths


def test_a_feature_torn_between_two_classes_is_unstable(named):
    odd = np.arange(NUM_FRAMES) % 2 == 1
    torn = np.where(odd[:, None, None], is_at(named, SAW), is_at(named, COIN))
    one = score_feature(is_at(named, SAW), named, np.arange(NUM_FRAMES), CONFIG)
    two = score_feature(torn, named, np.arange(NUM_FRAMES), CONFIG)
    assert one.stability == 1.0
    # Which of the two wins is near to a toss of a coin in every resample.
    assert 0.3 < two.stability < 0.85
    assert two.score < 0.5 < one.score
    low, high = two.interval
    assert low < two.score < high


def test_resamples_take_levels_whole(named):
    strengths = np.where(np.arange(NUM_FRAMES)[:, None, None] < 30, is_at(named, SAW), 0)
    strengths[30:, 0, 9] = 2
    one_level = np.zeros(NUM_FRAMES, int)
    score = score_feature(strengths, named, one_level, CONFIG)
    assert score.interval[0] == score.interval[1] == pytest.approx(score.score)
    apart = score_feature(strengths, named, np.arange(NUM_FRAMES), CONFIG)
    assert apart.interval[0] < apart.interval[1]


def test_a_silent_feature_has_no_class(named):
    score = score_feature(np.zeros_like(named, np.float32), named, GROUPS, CONFIG)
    assert score.object_class is None
    assert score.score == 0.0


def test_strengths_that_are_none_are_refused(named):
    with pytest.raises(ValueError, match=r"at least 0 and finite; got 40 frames.* from -1"):
        score_feature(-is_at(named, SAW), named, GROUPS, CONFIG)
    with pytest.raises(ValueError, match="got 0 frames"):
        score_feature(is_at(named, SAW)[:0], named[:0], GROUPS[:0], CONFIG)
    with pytest.raises(ValueError, match="strongest must be above 0"):
        ScoreConfig(strongest=0.0)
