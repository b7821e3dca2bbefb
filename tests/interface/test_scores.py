import re

import pytest

from rlvision_jax.envs import ACTION_NAMES
from rlvision_jax.interface import Score, named_scores
from rlvision_jax.interface.scores import attributed

_SMALL = ("none", "up", "right", "right+up", "fire")


def test_words_name_value_logits_and_sums():
    scores = named_scores(("value", "RIGHT", "3", "up | right+up"), _SMALL)
    assert scores == (
        Score(name="value"),
        Score(name="right logit", actions=(2,)),
        Score(name="right+up logit", actions=(3,)),
        Score(name="up | right+up logits", actions=(1, 3)),
    )
    assert [attributed(score) for score in scores] == ["value", (2,), (3,), (1, 3)]


def test_each_score_comes_once():
    names = [score.name for score in named_scores(("up", "logits", "value", "1", "Value"), _SMALL)]
    assert names == [
        "up logit", "none logit", "right logit", "right+up logit", "fire logit", "value",
    ]  # fmt: skip


def test_groups_are_the_directions_and_the_rest():
    groups = [score.actions for score in named_scores(("groups",), _SMALL)]
    assert groups == [(2, 3), (1, 3), (0, 4)]  # right, up, neither; nothing goes left or down
    right, left, up, down, rest = (
        {ACTION_NAMES[action] for action in score.actions}
        for score in named_scores(("groups",), ACTION_NAMES)
    )
    assert right == {"right", "right+up", "right+down"}
    assert left == {"left", "left+up", "left+down"}
    assert up == {"up", "right+up", "left+up"}
    assert down == {"down", "right+down", "left+down"}
    assert rest == set(ACTION_NAMES) - right - left - up - down


def test_actions_without_a_name_are_numbered():
    (score,) = named_scores(("1",), ("LEFT", ""))
    assert score == Score(name="nothing logit", actions=(1,))


@pytest.mark.parametrize("word", ["jump", "5", "right|jump", "", "-1"])
def test_unknown_words_are_named(word):
    with pytest.raises(ValueError, match=re.escape(f'unknown score "{word}"; expected "value"')):
        named_scores(("value", word), _SMALL)


def test_log_probabilities_are_for_sweeps():
    with pytest.raises(ValueError, match='values and logits; "log_prob:2" is neither'):
        named_scores(("log_prob:right",), _SMALL)
