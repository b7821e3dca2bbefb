"""Scores by name, as command lines and configurations write them."""

from collections.abc import Sequence

from rlvision_jax._checks import check_at_least, quoted
from rlvision_jax.attribution.scores import LogProbability, Score

_VALUE, _LOGIT, _LOG_PROB, _GROUPS = "value", "logit", "log_prob", "groups"
_DIRECTIONS = ("right", "left", "up", "down")


def parse_scores(
    words: Sequence[str], num_actions: int, action_names: Sequence[str] = ()
) -> dict[str, Score]:
    """Reads names of scores.

    Args:
      words: each "value"; an action by its name or number (its logit, also written "logit:3"), or
        several joined by "|" (the sum of their logits, also "logit:0+1+2"); "log_prob:" before
        the same (the log-probability of taking any of them); "logits" or "log_probs" (of every
        action); or "groups" (sums over the actions with each direction in their names, and over
        those without any, where there are two or more).
      num_actions: actions of the policy.
      action_names: their names, such as "right+up"; empty: only numbers are known.

    Returns:
      Each score once, in the order of the words, under its name with numbers: "value", "logit:3",
      "logit:0+1", "log_prob:3".

    Raises:
      ValueError: if a word names nothing, or there are names for some actions only.

    Example:
      >>> parse_scores(("value", "2", "logit:0+1"), 3)
      {'value': 'value', 'logit:2': 2, 'logit:0+1': (0, 1)}
      >>> list(parse_scores(("log_probs", "up|right"), 3, ("none", "up", "right")))
      ['log_prob:0', 'log_prob:1', 'log_prob:2', 'logit:1+2']
    """
    check_at_least("num_actions", num_actions, 1)
    if action_names and len(action_names) != num_actions:
        raise ValueError(f"{num_actions} actions need as many names; got {len(action_names)}")
    found: dict[str, Score] = {}
    for word in words:
        found |= _parse(word.strip(), num_actions, [name.lower() for name in action_names])
    return found


def _parse(word: str, num_actions: int, names: list[str]) -> dict[str, Score]:
    lowered = word.lower()
    if lowered == _VALUE:
        return {_VALUE: _VALUE}
    if lowered in (f"{_LOGIT}s", f"{_LOG_PROB}s"):
        every = [(action,) for action in range(num_actions)]
        return _scores(lowered.removesuffix("s"), every)
    if lowered == _GROUPS and names:
        return _scores(_LOGIT, [group for group in _groups(names) if len(group) > 1])
    kind, colon, listed = lowered.partition(":")
    if not colon or kind not in (_LOGIT, _LOG_PROB):
        kind, listed = _LOGIT, lowered
    # Actions themselves may have "+" in their names.
    parts = listed.split("+" if set(listed) <= set("0123456789+") else "|")
    actions = {_action(part.strip(), word, num_actions, names) for part in parts}
    return _scores(kind, [tuple(sorted(actions))])


def _scores(kind: str, several: list[tuple[int, ...]]) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for actions in several:
        first, *others = actions
        which = actions if others else first
        name = f"{kind}:{'+'.join(str(action) for action in actions)}"
        scores[name] = LogProbability(which) if kind == _LOG_PROB else which
    return scores


def _groups(names: list[str]) -> list[tuple[int, ...]]:
    """Actions with each direction, and those without any, as the original interface groups them."""
    buttons = [set(name.split("+")) for name in names]
    groups = [
        tuple(action for action, pressed in enumerate(buttons) if direction in pressed)
        for direction in _DIRECTIONS
    ]
    rest = tuple(a for a, pressed in enumerate(buttons) if not pressed & set(_DIRECTIONS))
    return [*groups, rest]


def _action(part: str, word: str, num_actions: int, names: list[str]) -> int:
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < num_actions:
        return int(part)
    lists = quoted(("value", "logits", "log_probs", *([_GROUPS] if names else [])))
    known = f", or its name: {quoted(names)}" if names else ""
    raise ValueError(
        f'unknown score "{word}"; expected {lists}, or an action, several joined by "|", by its '
        f'number from 0 to {num_actions - 1}{known}; "log_prob:" before it asks for its '
        "log-probability"
    )
