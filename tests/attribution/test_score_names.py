import pytest

from rlvision_jax.attribution import LogProbability, parse_scores

_NAMES = ("none", "UP", "right", "right+up", "fire")


def test_words_name_values_logits_sums_and_log_probabilities():
    words = ("value", "2", "logit:3+1", "Right", "up|fire", "log_prob:0+2", "log_prob:right+up")
    assert parse_scores(words, 5, _NAMES) == {
        "value": "value",
        "logit:2": 2,
        "logit:1+3": (1, 3),
        "logit:1+4": (1, 4),
        "log_prob:0+2": LogProbability((0, 2)),
        "log_prob:3": LogProbability(3),
    }


def test_one_word_may_name_every_action_or_groups_of_them():
    assert list(parse_scores(("logits",), 2)) == ["logit:0", "logit:1"]
    assert parse_scores(("log_probs",), 2)["log_prob:1"] == LogProbability(1)
    # right, up, and neither; nothing goes left or down
    assert list(parse_scores(("groups",), 5, _NAMES)) == ["logit:2+3", "logit:1+3", "logit:0+4"]


@pytest.mark.parametrize("word", ["jump", "5", "right|jump", "", "-1", "logit:", "log_prob:9"])
def test_unknown_words_are_named_with_what_is_known(word):
    with pytest.raises(ValueError, match=r"number from 0 to 4, or its name: .*right") as error:
        parse_scores(("value", word), 5, _NAMES)
    assert f'unknown score "{word}"; expected "value", "logits", "log_probs", "groups"' in str(
        error.value
    )


def test_groups_and_names_need_the_names_of_all_actions():
    for word in ("groups", "right"):
        with pytest.raises(ValueError, match=f'unknown score "{word}".* number from 0 to 4; '):
            parse_scores((word,), 5)
    with pytest.raises(ValueError, match="5 actions need as many names; got 2"):
        parse_scores(("value",), 5, ("left", "right"))
