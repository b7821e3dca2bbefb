"""Do features do what they look like? Edits of the weights, measured by causes of failure.

As "Model editing" in Hilton et al. 2020: the direction of the feature that looks at a hazard is
projected out of the next kernel. All policies play the same levels with the same random numbers.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Float

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.editing import project_out, scale_direction
from rlvision_jax.features import attribution_maps, find_directions
from rlvision_jax.models import Policy, check_layer, middle_layer
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.editing_result import EditingResult, control_features
from rlvision_jax.studies.hazards import NamedFeatures, class_excess
from rlvision_jax.studies.labelled_frames import LabelledFrames, sample_labelled_frames
from rlvision_jax.studies.object_classes import position_classes
from rlvision_jax.studies.played_cells import Notify, PlayConfig, play_in_cells
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.training import split_options

# What is not drawn of a hazard. Lava is part of the ground: it cannot be hidden.
_HIDDEN = {"saw": ("saw",), "enemy": ("enemy", "trail")}


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditingConfig(PlayConfig):
    """What the study of edits plays and edits.

    Attributes:
      split: levels that the agent was trained on ("train"), or unseen ones ("test").
      hazard: what the agent is blinded to.
      layer: layer of the features; None: the middle one.
      num_features: features of the layer.
      num_frames: observations that the features are found in.
      frame_interval: steps between two of these observations of one environment.
      rounds: times that the features are found again in the edited agent, and the one that looks
        at the hazard projected out.
      strengthen: factors by which the hazard's direction is scaled instead of projected out.
      ceiling: play also where the hazard is invisible (on the device; a minute of compiling).
    """

    split: Literal["train", "test"] = "test"
    hazard: Literal["saw", "enemy", "lava"] = "saw"
    layer: str | None = None
    num_features: int = 8
    num_frames: int = 4096
    frame_interval: int = 128
    rounds: int = 2
    strengthen: tuple[float, ...] = (2.0,)
    ceiling: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_features", "num_frames", "frame_interval", "rounds"):
            check_at_least(name, getattr(self, name), 1)


def study_editing(
    policy: Policy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: EditingConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> EditingResult:
    """Edits an agent and plays the same levels with the original, the edits and the controls.

    Played are: the original; the agent blind to the hazard, after each round; the same with a
    random direction (the hazard's with its channels shuffled) and with features of no hazard
    projected out (`control_features`); the agent with the hazard's direction scaled; and the
    original where the hazard is invisible, which is the most that blindness can do.

    Args:
      policy: of `models.make`, whose kernels are known.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it; its environment must be CoinRun.
      config: what is played and edited.
      cells: where finished work is kept.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the layer is unknown, the game is not CoinRun, or no feature looks at the
        hazard.

    Source: Hilton et al. 2020, "Model editing" and appendix A, doi 10.23915/distill.00029.
    """
    layer = config.layer or middle_layer(policy)
    check_layer(policy, layer)
    search = _Search(policy, params, agent_config, config, layer, cells, num_threads, notify)
    rounds = search.rounds()
    first = rounds[0].features
    hazard = first.directions[first.looks_at(config.hazard)]
    options = split_options(agent_config.get("env_options", {}), config.split)
    played_config = {**agent_config, "env_options": options}

    def edit(direction: Float[np.ndarray, " channel"], factor: float = 0.0) -> Params:
        return scale_direction(policy, params, layer, direction, factor)

    shuffled = np.random.default_rng(config.seed).permutation(hazard)
    variants = {"original": (params, played_config)}
    for number, each in enumerate(rounds, 1):
        name = f"{config.hazard}-blind" if number == 1 else f"{config.hazard}-blind-{number}"
        variants[name] = (each.edited, played_config)
    variants["random-direction"] = (edit(shuffled), played_config)
    for name, index in control_features(first, config.hazard).items():
        variants[name] = (edit(first.directions[index]), played_config)
    for factor in config.strengthen:
        variants[f"{config.hazard}-times-{factor:g}"] = (edit(hazard, factor), played_config)
    if config.ceiling and config.hazard in _HIDDEN:
        hidden = {**options, "invisible": _HIDDEN[config.hazard]}
        unseen = {**played_config, "env": "coinrun", "env_options": hidden}
        variants[f"invisible-{config.hazard}"] = (params, unseen)
    levels = {
        name: play_in_cells(
            policy,
            variant,
            where,
            config,
            name=name,
            cells=cells,
            num_threads=num_threads,
            notify=notify,
        )
        for name, (variant, where) in variants.items()
    }
    return EditingResult(
        hazard=config.hazard,
        layer=layer,
        levels=levels,
        features=tuple(each.features for each in rounds),
    )


@dataclasses.dataclass(frozen=True)
class _Round:
    """What one round found, and the parameters that it left."""

    features: NamedFeatures
    edited: Params


@dataclasses.dataclass(frozen=True)
class _Search:
    """Finds the hazard's feature, projects it out, and finds it again in the edited agent."""

    policy: Policy
    params: Params
    agent_config: Mapping[str, Any]
    config: EditingConfig
    layer: str
    cells: Cells
    num_threads: int
    notify: Notify

    def rounds(self) -> list[_Round]:
        """As many as configured."""
        edited, rounds = self.params, []
        removed = np.zeros((0, self.policy.layer_shape(self.layer)[-1]))
        for number in range(1, self.config.rounds + 1):
            features = self._features(edited, number)
            self.notify("finding features", number, self.config.rounds)
            chosen = features.looks_at(self.config.hazard)
            direction = features.directions[chosen].astype(np.float64)
            # What is projected out twice along slanted directions comes back along the first.
            direction = direction - removed.T @ (removed @ direction)
            removed = np.vstack([removed, direction / np.linalg.norm(direction)])
            edited = project_out(self.policy, edited, self.layer, direction)
            rounds.append(_Round(features, edited))
        return rounds

    def _features(self, params: Params, number: int) -> NamedFeatures:
        """From disk, if an earlier run has found them."""
        config = self.config
        depends_on = {
            **studied_agent(params, self.agent_config),
            "layer": self.layer,
            "num_features": config.num_features,
            "num_frames": config.num_frames,
            "frame_interval": config.frame_interval,
            "num_envs": config.num_envs,
            "seed": config.seed,
        }

        def compute() -> dict[str, Any]:
            return find_named_features(
                self.policy, params, self._frames, self.layer, num_features=config.num_features
            ).to_json()

        return NamedFeatures.from_json(self.cells.run(f"features-{number}", depends_on, compute))

    @functools.cached_property
    def _frames(self) -> LabelledFrames:
        """The original's, for every round."""
        config = self.config
        total = -(-config.num_frames // config.num_envs) * config.frame_interval
        return sample_labelled_frames(
            self.policy,
            self.params,
            self.agent_config,
            num_frames=config.num_frames,
            interval=config.frame_interval,
            num_envs=config.num_envs,
            seed=config.seed,
            num_threads=self.num_threads,
            on_step=lambda step: self.notify("playing for features", step, total),
        )


def find_named_features(
    policy: Policy, params: Params, frames: LabelledFrames, layer: str, *, num_features: int
) -> NamedFeatures:
    """Finds a layer's features of the value function and what each of them looks at.

    Args:
      policy: what computes the value.
      params: its parameters.
      frames: observations with ground truth.
      layer: one of `policy.layer_names`.
      num_features: features to find.
    """
    observations = frames.observations
    directions = find_directions(policy, params, observations, layer, num_features=num_features)
    maps, _ = attribution_maps(policy, params, observations, directions, "value")
    field = receptive_fields(policy, params)[layer]
    return NamedFeatures(
        directions=np.asarray(jax.device_get(directions.nmf.components)),
        excess=class_excess(maps, position_classes(frames.masks, field)),
        totals=np.abs(maps).sum((1, 2)).mean(0).astype(np.float64),
    )
