"""The data contract of the report: all that the writer and the browser share.

A report holds what an agent did (trajectories), what it was attributed to (layers, scores, maps)
and what the parts of a layer look like (features). Nothing here computes anything. Time-major
arrays; signed attribution in units of the score it explains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8


@dataclass(frozen=True, kw_only=True)
class ExampleGrid:
    """For each cell of a grid over the frame, the example where a feature is strongest there.

    Attributes:
      frames: index into the report's `examples`.
      strengths: feature activation of that example at the cell's centre.
      rows: centres of the cells' rows, as shares of the frame's height.
      columns: centres of the cells' columns, as shares of its width.
    """

    frames: Int32[np.ndarray, "row column"]
    strengths: Float32[np.ndarray, "row column"]
    rows: Float32[np.ndarray, " row"]
    columns: Float32[np.ndarray, " column"]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature direction of a layer and what it looks like.

    Attributes:
      name: shown in the legend as text, such as "feature 1" or "coin".
      color: "#rrggbb"; None lets the report choose one that is told apart from its neighbours.
      direction: the row of the factorization, in the layer's channels.
      thumbnails: dataset examples, strongest first: RGB patches of observations, 0-255.
      strengths: feature activation at the centre of each dataset example.
      grids: dataset examples by position, from few cells to many; may be empty.
    """

    name: str
    direction: Float32[np.ndarray, " channel"]
    thumbnails: UInt8[np.ndarray, "example patch_height patch_width 3"]
    strengths: Float32[np.ndarray, " example"]
    color: str | None = None
    grids: tuple[ExampleGrid, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Layer:
    """An attributed layer and its features.

    Attributes:
      name: such as "2b"; unique in the report.
      features: one per feature of the layer's attribution maps, in their order.
      kind: "attribution" of a score to the layer, which sums to the score; or its "gradient" at
        the pixels, whose features are the observation's channels.
      counterpart: of a second agent's own layer, index of the first agent's that it stands
        beside; None if it stands beside none, or is the first agent's.
    """

    name: str
    features: tuple[Feature, ...]
    kind: Literal["attribution", "gradient"] = "attribution"
    counterpart: int | None = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """A scalar output of the policy that was attributed.

    Attributes:
      name: shown in the report, such as "value" or "RIGHT logit"; unique in the report.
      actions: None for the value; else the actions whose logits were summed.
    """

    name: str
    actions: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """One score attributed to one layer along a trajectory.

    Attributes:
      layer: name of the layer.
      score: name of the score.
      maps: the positive part projected on the features minus the negative part projected,
        each feature times the sum of its direction, so that a map sums to the share of the
        score that the feature carries. Of a gradient: per unit of a pixel in [0, 1].
      residual: what the features do not carry, summed over channels; of a gradient 0.
    """

    layer: str
    score: str
    maps: Float32[np.ndarray, "time height width feature"]
    residual: Float32[np.ndarray, "time height width"]


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """Consecutive steps of one environment, over one episode or several.

    `actions[t]` was chosen on `observations[t]`; `rewards[t]`, `terminated[t]`, `truncated[t]`
    and `level_complete[t]` are what that action led to.

    Attributes:
      observations: frames the agent saw, RGB, 0-255.
      actions: actions taken.
      rewards: reward of each action, in the game's points.
      terminated: the action ended the episode by the rules of the game.
      truncated: the action ended the episode for another reason.
      level_complete: the action ended the episode at its goal.
      level_seeds: level that each observation shows.
      values: value function, in the units in which it was trained.
      advantages: generalized advantage estimates, in the units of the values.
      policy_logits: unnormalized log-probabilities of the actions.
      attributions: any number, at most one per layer and score.
      label: shown in the trajectory list as text; may be empty.
      object_masks: pixels in which each of the report's `object_names` is seen; None if unknown.
      human_frames: the same moments as people see the game, one JPEG file each; may be empty.
      agent: index into the report's `agents`; 0 where there is one.
      counterpart: index of the other agent's trajectory through the same levels, whose
        counterpart is this one; None if there is none.
    """

    observations: UInt8[np.ndarray, "time height width 3"]
    actions: Int32[np.ndarray, " time"]
    rewards: Float32[np.ndarray, " time"]
    terminated: Bool[np.ndarray, " time"]
    truncated: Bool[np.ndarray, " time"]
    level_complete: Bool[np.ndarray, " time"]
    level_seeds: Int32[np.ndarray, " time"]
    values: Float32[np.ndarray, " time"]
    advantages: Float32[np.ndarray, " time"]
    policy_logits: Float32[np.ndarray, "time action"]
    attributions: tuple[Attribution, ...] = ()
    label: str = ""
    object_masks: Bool[np.ndarray, "time height width object"] | None = None
    human_frames: tuple[bytes, ...] = ()
    agent: int = 0
    counterpart: int | None = None


@dataclass(frozen=True, kw_only=True)
class Bookmark:
    """A moment worth looking at.

    Attributes:
      kind: heading under which it is listed: "high" or "low" advantage, or any other.
      trajectory: index into the report's trajectories.
      step: index on that trajectory's time axis.
      note: what it shows; empty: its advantage is given.
    """

    kind: str
    trajectory: int
    step: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An episode that did not reach its goal.

    Attributes:
      cause: what ended it, such as "saw"; "unknown" where the game does not tell.
      trajectory: index into the report's trajectories.
      step: index of the episode's last step on that trajectory's time axis.
    """

    cause: str
    trajectory: int
    step: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that the interactive report shows.

    Attributes:
      title: heading of the page.
      action_names: one per action, such as "RIGHT+UP"; the empty string is doing nothing.
      layers: at least one where trajectories carry attributions.
      scores: what was attributed.
      trajectories: at least one.
      agents: names of the agents, where there are several; empty: one plays all.
      bookmarks: see `advantage_bookmarks`.
      has_levels: whether the game has levels with a goal each; else level seeds and
        `level_complete` mean nothing and are not shown.
      failures: the failed episodes, in the order of trajectories and steps.
      object_names: what `object_masks` of the trajectories mark; empty if nothing.
      examples: observations that the features' grids point into, RGB, 0-255; None without grids.
      provenance: what made the report: code version, configuration, environment and its
        options, checkpoint hash, attribution rule and steps. JSON values; shown as text.
    """

    title: str
    action_names: tuple[str, ...]
    layers: tuple[Layer, ...]
    scores: tuple[Score, ...]
    trajectories: tuple[Trajectory, ...]
    agents: tuple[str, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    has_levels: bool = True
    failures: tuple[Failure, ...] = ()
    object_names: tuple[str, ...] = ()
    examples: UInt8[np.ndarray, "example height width 3"] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
