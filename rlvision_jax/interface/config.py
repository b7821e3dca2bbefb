"""What a report shows and how it is computed."""

import dataclasses

from rlvision_jax._checks import check_at_least
from rlvision_jax.attribution import RULES
from rlvision_jax.models import VisionPolicy, check_layer, middle_layer

PIXELS = "pixels"
"""Name of the layer that stands for the gradient at the observation itself."""

_ALL = "all"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a report shows and how it is computed.

    Attributes:
      layers: layers to attribute to; "all": every one; "pixels": the gradient at the observation.
        None named: the middle one, which is 2b of the clear network.
      scores: what is attributed: "value"; an action such as "right", its logit;
        "right|right+up", the sum of several; "logits", that of every action; "groups", the sums
        of the actions in each direction.
      num_features: feature directions of each layer.
      num_trajectories: environments played.
      num_steps: steps of each trajectory.
      num_frames: observations that the features are found in.
      frame_interval: steps between two of these observations of one environment.
      num_envs: environments that these observations are played in.
      num_integration_steps: evaluations on the path of integration.
      rule: quadrature rule: right (the paper's), midpoint or gauss_legendre.
      num_examples: dataset examples of each feature.
      num_position_examples: how many of the observations are shown by position; 0: none.
      objects: whether CoinRun's objects are marked, and what failed episodes failed by.
      human: whether the trajectories are also shown as people see the game; about 40 kB a step.
      seed: of levels and actions.
    """

    layers: tuple[str, ...] = ()
    scores: tuple[str, ...] = ("value",)
    num_features: int = 8
    num_trajectories: int = 8
    num_steps: int = 512
    num_frames: int = 4096
    frame_interval: int = 128
    num_envs: int = 32
    num_integration_steps: int = 10
    rule: str = "right"
    num_examples: int = 16
    num_position_examples: int = 512
    objects: bool = True
    human: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("layers", "scores"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise ValueError(
                    f'{name} must be a tuple of names; got "{value}": write ("{value}",)'
                )
        if not self.scores:
            raise ValueError('scores must name at least one score, such as "value"; got none')
        for name, value in dataclasses.asdict(self).items():
            if isinstance(value, int) and not isinstance(value, bool):
                lowest = 0 if name in ("seed", "num_position_examples") else 1
                check_at_least(name, value, lowest)
        if self.rule not in RULES:
            raise ValueError(f'unknown rule "{self.rule}"; expected one of {", ".join(RULES)}')


def chosen_layers(policy: VisionPolicy, layers: tuple[str, ...]) -> tuple[str, ...]:
    """The layers that a report shows, in the network's order, the pixels first.

    Args:
      policy: whose layers they are.
      layers: as `ReportConfig.layers`.

    Raises:
      ValueError: if a layer is unknown.

    Example:
      >>> from rlvision_jax import models
      >>> chosen_layers(models.make("nature"), ("conv3", "pixels", "conv1"))
      ('pixels', 'conv1', 'conv3')
    """
    if not layers:
        return (middle_layer(policy),)
    wanted = set(layers)
    if _ALL in wanted:
        wanted = wanted - {_ALL} | set(policy.layer_names)
    for layer in layers:
        if layer not in (_ALL, PIXELS):
            check_layer(policy, layer)
    return tuple(layer for layer in (PIXELS, *policy.layer_names) if layer in wanted)
