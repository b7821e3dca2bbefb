"""Names of scores, as one writes them in a configuration, and what they attribute."""

from collections.abc import Sequence

from rlvision_jax._checks import quoted
from rlvision_jax.attribution import Score as AttributedScore
from rlvision_jax.interface.schema import Score

VALUE = "value"
_LOGITS, _GROUPS = "logits", "groups"
_NUMBERED = "logit:"
_DIRECTIONS = ("right", "left", "up", "down")


def named_scores(words: Sequence[str], action_names: Sequence[str]) -> tuple[Score, ...]:
    """The scores that some words name; each once, in the order of the words.

    Args:
      words: each "value"; an action's name or its number; several joined by "|", the sum of
        their logits, or the same as `rlvision attribute` writes it, "logit:3" and
        "logit:0+1+2"; "logits", the logit of every action; or "groups", the sums over the
        actions with each direction and without any, where there are two or more.
      action_names: names of the actions.

    Raises:
      ValueError: if a word names nothing.

    Example:
      >>> [score.name for score in named_scores(("value", "right|up"), ("none", "up", "right"))]
      ['value', 'up | right logits']
      >>> [score.actions for score in named_scores(("logits",), ("none", "up"))]
      [(0,), (1,)]
    """
    found: dict[tuple[int, ...] | None, Score] = {}
    for word in words:
        for score in _named(word, action_names):
            found.setdefault(score.actions, score)
    return tuple(found.values())


def attributed(score: Score) -> AttributedScore:
    """The same score as `attribution.attribute` takes it."""
    return VALUE if score.actions is None else score.actions


def _named(word: str, action_names: Sequence[str]) -> list[Score]:
    if word.lower() == VALUE:
        return [Score(name=VALUE)]
    if word.lower() == _LOGITS:
        return [_sum((action,), action_names) for action in range(len(action_names))]
    if word.lower() == _GROUPS:
        return [_sum(group, action_names) for group in _groups(action_names) if len(group) > 1]
    parts = word.split("|")
    if word.startswith(_NUMBERED):
        parts = word.removeprefix(_NUMBERED).split("+")
    actions = {_action(part.strip(), word, action_names) for part in parts}
    return [_sum(tuple(sorted(actions)), action_names)]


def _sum(actions: tuple[int, ...], action_names: Sequence[str]) -> Score:
    names = " | ".join(action_names[action] or "nothing" for action in actions)
    return Score(name=f"{names} logit{'s' if len(actions) > 1 else ''}", actions=actions)


def _groups(action_names: Sequence[str]) -> list[tuple[int, ...]]:
    """Actions with each direction, and those without any, as the original interface groups them."""
    buttons = [set(name.lower().split("+")) for name in action_names]
    groups = [
        tuple(action for action, pressed in enumerate(buttons) if direction in pressed)
        for direction in _DIRECTIONS
    ]
    rest = tuple(a for a, pressed in enumerate(buttons) if not pressed & set(_DIRECTIONS))
    return [*groups, rest]


def _action(part: str, word: str, action_names: Sequence[str]) -> int:
    lowered = [name.lower() for name in action_names]
    if part.lower() in lowered:
        return lowered.index(part.lower())
    if part.isdecimal() and int(part) < len(action_names):
        return int(part)
    raise ValueError(
        f'unknown score "{word}"; expected "value", "logits", "groups", or an action, several '
        f'joined by "|": {quoted(action_names)}, or its number'
    )
