"""Scores of a report: what the words of a configuration name, and how the page calls it."""

from collections.abc import Sequence

from rlvision_jax.attribution import Score as AttributedScore
from rlvision_jax.attribution import parse_scores
from rlvision_jax.interface.schema import Score

VALUE = "value"


def named_scores(words: Sequence[str], action_names: Sequence[str]) -> tuple[Score, ...]:
    """The scores that some words name; each once, in the order of the words.

    Args:
      words: as `attribution.parse_scores` reads them; values and logits, no log-probabilities.
      action_names: names of the actions.

    Raises:
      ValueError: if a word names nothing, or a log-probability.

    Example:
      >>> [score.name for score in named_scores(("value", "right|up"), ("none", "up", "right"))]
      ['value', 'up | right logits']
      >>> [score.actions for score in named_scores(("logits",), ("none", "up"))]
      [(0,), (1,)]
    """
    parsed = parse_scores(words, len(action_names), action_names)
    return tuple(_shown(name, score, action_names) for name, score in parsed.items())


def attributed(score: Score) -> AttributedScore:
    """The same score as `attribution.attribute` takes it."""
    return VALUE if score.actions is None else score.actions


def _shown(name: str, score: AttributedScore, action_names: Sequence[str]) -> Score:
    if score == VALUE:
        return Score(name=VALUE)
    if isinstance(score, int):
        score = (score,)
    if not isinstance(score, tuple):
        raise ValueError(
            f'a report shows values and logits; "{name}" is neither. Ask for the logits, or use '
            "`rlvision attribute`"
        )
    actions = tuple(int(action) for action in score)
    names = " | ".join(action_names[action] or "nothing" for action in actions)
    return Score(name=f"{names} logit{'s' if len(actions) > 1 else ''}", actions=actions)
