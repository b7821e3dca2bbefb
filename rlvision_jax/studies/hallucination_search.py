"""Plays an agent and looks for its hallucinations: the work of the study. (Host only.)"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, UInt8

from rlvision_jax import envs
from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.features import Directions, attribution_maps, feature_activations
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.hallucination_finder import (
    NOT_MOVED,
    SPIKE,
    FinderConfig,
    Moments,
    Readings,
    limits_of,
    moments_of,
    moves_value,
    read_maps,
    sees_its_class,
)
from rlvision_jax.studies.hallucination_stretches import Seen, examples_of, stretches_of
from rlvision_jax.studies.hallucination_trials import trial_rows, try_planted
from rlvision_jax.studies.labelled_frames import sample_labelled_frames
from rlvision_jax.studies.object_classes import (
    CLASSES,
    class_masks,
    classes_in_field,
    position_classes,
)
from rlvision_jax.studies.planted_hallucinations import Plantable, plant
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.receptive_fields import ReceptiveField, receptive_fields
from rlvision_jax.studies.scored_features import (
    FeaturesConfig,
    find_features,
    score_directions,
)
from rlvision_jax.studies.tables import Value
from rlvision_jax.training import Played, play
from rlvision_jax.training.advantages import played_advantages

# Fewer would be a program of their own, which takes longer to compile than to run.
_FEWEST_FRAMES = 16

OBJECTS: Final = ("coin", "saw", "enemy", "crate", "lava")
"""Classes that can be hallucinated; the others are in nearly every receptive field."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HallucinationsConfig:
    """What is played and looked through.

    Attributes:
      layer: whose features are watched; None: the middle one, which is 2b of the clear network.
      num_features: features of the layer.
      num_frames: observations that the features are found and scored in.
      frame_interval: steps between two of these observations of one environment.
      num_envs: environments that they are played in.
      least_score: features that score less detect nothing in particular and are left out.
      num_trajectories: environments played to be looked through.
      num_steps: steps of each; every step's game is kept, 38 KB each.
      finder: what counts as moving the value.
      planted: classes planted to test the finder.
      num_cases: steps in which each is planted.
      num_pictures: steps in the figure, those of the largest change.
      gallery: hallucinations kept for looking at, those of the largest change; 0: none.
      seed: of levels, actions and cases.
    """

    layer: str | None = None
    num_features: int = 8
    num_frames: int = 4096
    frame_interval: int = 128
    num_envs: int = 32
    least_score: float = 0.2
    num_trajectories: int = 16
    num_steps: int = 512
    finder: FinderConfig = dataclasses.field(default_factory=FinderConfig)
    planted: tuple[Plantable, ...] = ("coin", "saw")
    num_cases: int = 200
    num_pictures: int = 4
    gallery: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_trajectories", "num_steps", "num_cases", "num_pictures"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("gallery", self.gallery, 0)
        self.features  # noqa: B018 (checks its numbers)

    @property
    def features(self) -> FeaturesConfig:
        """How the features are found and scored."""
        return FeaturesConfig(
            layer=self.layer,
            num_features=self.num_features,
            num_frames=self.num_frames,
            frame_interval=self.frame_interval,
            num_envs=self.num_envs,
            seed=self.seed,
        )


@dataclasses.dataclass(frozen=True)
class Search:
    """The study's work on one agent; `run` does all of it.

    Attributes:
      policy: of the agent.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it.
      config: what is played and looked through; `layer` must be named.
      num_threads: threads that step the environments.
      notify: told of progress.
    """

    policy: VisionPolicy
    params: Params
    agent_config: Mapping[str, Any]
    config: HallucinationsConfig
    num_threads: int
    notify: Notify

    def run(self) -> dict[str, Any]:
        """Rows, trials, classes of the features, pictures and levels, as JSON values."""
        directions, classes, examples = self._detectors()
        field = receptive_fields(self.policy, self.params)[directions.layer]
        played, states = self._play()
        readings = self._read_play(played, directions)
        ends = played.terminated | played.truncated
        starts = np.concatenate([np.ones_like(ends[:1]), ends[:-1]])
        advantages = played_advantages(played, self.agent_config)
        finder = self.config.finder
        moments = moments_of(readings, played.values, advantages, starts, finder)
        found = self._find(moments, states, field, classes)
        rows = [self._row(step, moments, played, field, classes) for step in found]
        order = sorted(range(len(rows)), key=lambda index: -abs(rows[index]["change"]))
        largest = {found[index][:2]: found[index] for index in reversed(order)}
        chosen = sorted(largest.values(), key=lambda step: order.index(found.index(step)))
        chosen = chosen[: self.config.num_pictures]
        rows = [rows[index] for index in order]
        return {
            "rows": rows,
            "seen": Seen(
                stretches_of(rows, played, self.config.gallery), directions, examples
            ).to_json(),
            "trials": self._try(moments, states, field, directions, classes),
            "classes": list(classes),
            "num_steps": int(played.values.size),
            "pictures": [
                self._picture(step, played, states, readings, field, directions, classes)
                for step in chosen
            ],
        }

    def _detectors(
        self,
    ) -> tuple[Directions, tuple[str | None, ...], UInt8[np.ndarray, "frame height width channel"]]:
        """The features, what each detects, and observations in which they are strong."""
        config = self.config.features
        rounds = -(-config.num_frames // config.num_envs) * config.frame_interval
        frames = sample_labelled_frames(
            self.policy,
            self.params,
            self.agent_config,
            num_frames=config.num_frames,
            interval=config.frame_interval,
            num_envs=config.num_envs,
            seed=2 * config.seed,
            num_threads=self.num_threads,
            on_step=lambda step: self.notify("playing for features", step, rounds),
        )
        directions = find_features(self.policy, self.params, frames, config)
        scored = score_directions(
            self.policy, self.params, frames, directions, config, notify=self.notify
        )
        scores = [feature.score for feature in scored]
        classes = tuple(
            score.object_class
            if score.object_class in OBJECTS and score.score >= self.config.least_score
            else None
            for score in scores
        )
        strengths = feature_activations(self.policy, self.params, frames.observations, directions)
        return directions, classes, examples_of(frames.observations, strengths)

    def _env(self, num_envs: int) -> envs.HostEnv:
        return envs.make_host(
            self.agent_config["env"],
            num_envs=num_envs,
            seed=2 * self.config.seed + 1,
            num_threads=min(num_envs, self.num_threads),
            **self.agent_config.get("env_options", {}),
        )

    def _play(self) -> tuple[Played, list[list[bytes]]]:
        """The play to be looked through, and the game at each of its steps."""
        total = self.config.num_steps
        env = self._env(self.config.num_trajectories)
        try:
            states = [env.get_state()]

            def keep(step: int) -> None:
                states.append(env.get_state())
                self.notify("playing", step, total)

            played = play(
                self.policy,
                self.params,
                env,
                jax.random.key(self.config.seed),
                total,
                on_step=keep,
            )
        finally:
            env.close()
        return played, states[:total]

    def _maps(
        self, observations: UInt8[np.ndarray, "frame height width channel"], directions: Directions
    ) -> Float[np.ndarray, "frame row column feature"]:
        missing = max(_FEWEST_FRAMES - len(observations), 0)
        padded = np.concatenate([observations, observations[-1:].repeat(missing, 0)])
        maps, _ = attribution_maps(self.policy, self.params, padded, directions, "value")
        return maps[: len(observations)]

    def _read_play(self, played: Played, directions: Directions) -> Readings:
        num_envs = played.values.shape[1]
        readings = []
        for env in range(num_envs):
            self.notify("attributing", env, num_envs)
            readings.append(read_maps(self._maps(played.observations[:, env], directions)))
        self.notify("attributing", num_envs, num_envs)
        return Readings(*(np.stack(parts, 1) for parts in zip(*readings, strict=True)))

    def _find(
        self,
        moments: Moments,
        states: Sequence[Sequence[bytes]],
        field: ReceptiveField,
        classes: tuple[str | None, ...],
    ) -> list["_Found"]:
        why = moves_value(moments, limits_of(moments, self.config.finder))
        detects = np.array([name is not None for name in classes])
        steps = np.argwhere(((why != NOT_MOVED) & detects).any(-1))
        found = []
        for time, env in steps.tolist():
            masks = _masks(states[time][env])
            here = Readings(*(part[time, env][None] for part in moments.readings))
            seen = sees_its_class(here, classes_in_field(masks[None], field), classes)[0]
            named = position_classes(masks[None], field)[0]
            shown = np.asarray(masks.any(axis=(0, 1)))
            for feature in np.flatnonzero(detects & (why[time, env] != NOT_MOVED) & ~seen).tolist():
                kind = CLASSES.index(str(classes[feature]))
                reason = "spike" if why[time, env, feature] == SPIKE else "surprise"
                place = here.rows[0, feature], here.columns[0, feature]
                found.append(
                    _Found(time, env, feature, reason, CLASSES[named[place]], bool(shown[kind]))
                )
        return found

    def _row(
        self,
        step: "_Found",
        moments: Moments,
        played: Played,
        field: ReceptiveField,
        classes: tuple[str | None, ...],
    ) -> dict[str, Any]:
        here = step.time, step.env, step.feature
        readings = moments.readings
        return {
            "trajectory": step.env,
            "step": step.time,
            "level_seed": int(played.level_seeds[step.time, step.env]),
            "feature": step.feature + 1,
            "object_class": classes[step.feature],
            "instead": step.instead,
            "why": step.why,
            "row": float(field.row_centres[readings.rows[here]]),
            "column": float(field.column_centres[readings.columns[here]]),
            "attribution": round(float(readings.peaks[here]), 4),
            "change": round(float(moments.change[here]), 4),
            "value": round(float(moments.values[here[:2]]), 4),
            "value_change": round(float(moments.value_change[here[:2]]), 4),
            "advantage": round(float(moments.advantages[here[:2]]), 4),
            "elsewhere": step.elsewhere,
        }

    def _picture(
        self,
        step: "_Found",
        played: Played,
        states: Sequence[Sequence[bytes]],
        readings: Readings,
        field: ReceptiveField,
        directions: Directions,
        classes: tuple[str | None, ...],
    ) -> dict[str, Any]:
        here = step.time, step.env, step.feature
        observation = played.observations[step.time, step.env]
        attribution = self._maps(observation[None], directions)[0, ..., step.feature]
        name = str(classes[step.feature])
        mask = _masks(states[step.time][step.env])[..., CLASSES.index(name)]
        rows, columns = field.rows[readings.rows[here]], field.columns[readings.columns[here]]
        return {
            "title": f"{name} seen in {step.instead} (feature {step.feature + 1})",
            "observation": observation.tolist(),
            "attribution": attribution.round(5).tolist(),
            "mask": mask.astype(int).tolist(),
            "field": [*rows.tolist(), *columns.tolist()],
        }

    def _try(
        self,
        moments: Moments,
        states: Sequence[Sequence[bytes]],
        field: ReceptiveField,
        directions: Directions,
        classes: tuple[str | None, ...],
    ) -> list[dict[str, Value]]:
        """Rows of the table of planted cases."""
        forward = jax.jit(self.policy.apply)

        def read(
            observations: UInt8[np.ndarray, "frame height width channel"],
        ) -> tuple[Readings, Float[np.ndarray, " frame"]]:
            values = np.asarray(forward(self.params, observations)[1])
            return read_maps(self._maps(observations, directions)), values

        limits = limits_of(moments, self.config.finder)
        rows = []
        env = self._env(1)
        try:
            for index, object_class in enumerate(self.config.planted):
                self.notify("planting", index, len(self.config.planted))
                num_detectors = classes.count(object_class)
                trial = None
                if num_detectors:
                    cases = plant(
                        env,
                        states,
                        object_class,
                        num_cases=self.config.num_cases,
                        margin=self.config.finder.window,
                        seed=self.config.seed,
                    )
                    if cases:
                        trial = try_planted(
                            read, cases, moments, limits, field, classes, object_class
                        )
                rows += trial_rows(object_class, num_detectors, trial)
        finally:
            env.close()
        self.notify("planting", len(self.config.planted), len(self.config.planted))
        return rows


class _Found(NamedTuple):
    """A hallucination.

    Attributes:
      time, env: the step.
      feature: its index.
      why: "spike" or "surprise".
      instead: what lies at the feature's strongest position.
      elsewhere: whether its class is seen elsewhere in the frame.
    """

    time: int
    env: int
    feature: int
    why: str
    instead: str
    elsewhere: bool


def _masks(state: bytes) -> Bool[np.ndarray, "height width class"]:
    return class_masks(envs.object_masks(state))
