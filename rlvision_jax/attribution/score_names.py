"""Scores by name, as command lines and files write them."""

from rlvision_jax.attribution.scores import LogProbability, Score

_FORMS = (
    '"value", "logits" (of every action), "logit:3", "logit:0+1+2" (their sum), "log_probs", '
    '"log_prob:3" or "log_prob:0+1+2" (of taking any of them)'
)


def parse_scores(text: str, num_actions: int) -> dict[str, Score]:
    """Reads a list of scores.

    Args:
      text: names separated by commas: value, logits, logit:3, logit:0+1+2 (a sum), log_probs,
        log_prob:3, log_prob:0+1+2 (of taking any of these actions).
      num_actions: actions of the policy.

    Returns:
      Scores by name; "logits" and "log_probs" become one score for each action.

    Raises:
      ValueError: if a name is unknown or comes twice, or an action is out of range.

    Example:
      >>> parse_scores("value,logit:2,logit:0+1", 3)
      {'value': 'value', 'logit:2': 2, 'logit:0+1': (0, 1)}
      >>> list(parse_scores("log_probs", 3))
      ['log_prob:0', 'log_prob:1', 'log_prob:2']
    """
    scores: dict[str, Score] = {}
    for name in text.split(","):
        for each, score in _parse(name.strip(), num_actions).items():
            if each in scores:
                raise ValueError(f'score "{each}" is named twice in "{text}"; name it once')
            scores[each] = score
    return scores


def _parse(name: str, num_actions: int) -> dict[str, Score]:
    if name == "value":
        return {name: "value"}
    if name in ("logits", "log_probs"):
        each = (f"{name.removesuffix('s')}:{action}" for action in range(num_actions))
        return {one: score for item in each for one, score in _parse(item, num_actions).items()}
    kind, _, listed = name.partition(":")
    parts = listed.split("+")
    if kind not in ("logit", "log_prob") or not all(part.isdecimal() for part in parts):
        raise ValueError(f'unknown score "{name}"; expected {_FORMS}, separated by commas')
    actions = tuple(int(part) for part in parts)
    if len(set(actions)) < len(actions) or not all(0 <= a < num_actions for a in actions):
        raise ValueError(
            f'score "{name}" must name different actions from 0 to {num_actions - 1}; got {listed}'
        )
    which = int(listed) if len(parts) == 1 else actions
    return {name: LogProbability(which) if kind == "log_prob" else which}
