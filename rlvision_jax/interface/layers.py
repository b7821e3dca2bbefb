"""The layers that a report of an agent shows, and the features found in them. (Host only.)"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Int, UInt8

from rlvision_jax.envs import Channels
from rlvision_jax.features import Directions, find_directions
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.config import PIXELS, ReportConfig
from rlvision_jax.interface.describe import describe_features, pixel_layer
from rlvision_jax.interface.schema import Layer


@dataclasses.dataclass(frozen=True, kw_only=True)
class FoundLayer:
    """A layer of the report and what is attributed to it.

    Attributes:
      layer: as the report shows it.
      directions: its features; None: the gradient at the pixels.
    """

    layer: Layer
    directions: Directions | None

    @property
    def name(self) -> str:
        """Name of the layer in the report."""
        return self.layer.name


def find_layers(
    agent: Agent,
    names: Sequence[str],
    frames: UInt8[np.ndarray, "frame height width channel"],
    config: ReportConfig,
    *,
    channels: Channels,
    shown: UInt8[np.ndarray, "frame height width 3"],
    by_position: Int[np.ndarray, " example"] | None,
    notify: Callable[[int, int], None] = lambda done, total: None,
) -> list[FoundLayer]:
    """Finds and describes the features of an agent's layers.

    Args:
      agent: whose layers they are.
      names: of the layers, as `chosen_layers` gives them.
      frames: observations of `config.num_envs` environments in turn, 0-255.
      config: how features are found.
      channels: of the observations.
      shown: the frames in RGB.
      by_position: as in `describe_features`.
      notify: told of the layers done, and of their number.
    """
    policy, params, _ = agent
    found = []
    for index, name in enumerate(names):
        notify(index, len(names))
        if name == PIXELS:
            layer = pixel_layer(policy.observation_shape[-1], channels)
            found.append(FoundLayer(layer=layer, directions=None))
            continue
        directions = find_directions(
            policy,
            params,
            frames,
            name,
            num_features=config.num_features,
            num_steps=config.num_integration_steps,
            rule=config.rule,
        )
        layer = describe_features(
            policy,
            params,
            frames,
            directions,
            config.num_examples,
            # Frames of one environment follow each other within a level or a few.
            np.arange(len(frames)) % config.num_envs,
            shown=shown,
            by_position=by_position,
        )
        found.append(FoundLayer(layer=layer, directions=directions))
    notify(len(names), len(names))
    return found


def beside(
    first: Sequence[FoundLayer], second: Sequence[FoundLayer], name: str
) -> list[FoundLayer]:
    """Names the layers of a second agent, and says beside which of the first's each stands.

    Its pixels are the first's. Other layers stand beside those of the same name, or of the same
    place if as many are shown.

    Args:
      first: layers of the first agent, which come first in the report.
      second: those of the second.
      name: of the second agent.
    """
    renamed = []
    places = {found.name: index for index, found in enumerate(first)}
    same_number = len(first) == len(second)
    for index, found in enumerate(second):
        if found.directions is None and found.name in places:
            renamed.append(first[places[found.name]])
            continue
        counterpart = places.get(found.name, index if same_number else None)
        layer = dataclasses.replace(
            found.layer, name=f"{found.name} of {name}", counterpart=counterpart
        )
        renamed.append(dataclasses.replace(found, layer=layer))
    return renamed
