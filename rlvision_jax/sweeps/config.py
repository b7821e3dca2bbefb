"""What a sweep computes, and of which frames."""

import dataclasses
from pathlib import Path
from typing import Any

from rlvision_jax._checks import check_at_least
from rlvision_jax.attribution import RULES


@dataclasses.dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Settings of a sweep; what is the same for all of its shards.

    Attributes:
      frames: frames to play; or a file to read them from: NumPy (.npy), Zarr, or Parquet
        (.parquet).
      layer: layer to attribute to; None: the middle one, which is 2b of the clear network.
      scores: separated by commas: value, logits (of every action), logit:3, logit:0+1 (their sum),
        log_probs, log_prob:3, log_prob:0+1 (of taking either).
      num_features: feature directions of the layer.
      directions: an earlier sweep, whose feature directions to use; None: found anew, by
        attributing the value of sampled frames.
      num_feature_frames: observations that the features are found in.
      feature_interval: steps between two of these observations of one environment.
      num_integration_steps: evaluations on the path of integration.
      rule: quadrature rule: right (the paper's), midpoint or gauss_legendre.
      maps: keep the maps of every feature and of the residual too, in float16.
      observations: keep the frames too.
      env: environment to play instead of the agent's own, with the same options.
      num_envs: environments played together.
      shard_steps: frames kept of each environment in a shard, which holds num_envs as many. Each
        shard is played from new episodes.
      interval: steps between two frames kept of an environment.
      seed: of levels and actions.
    """

    frames: int | Path = 100_000
    layer: str | None = None
    scores: str = "value"
    num_features: int = 8
    directions: Path | None = None
    num_feature_frames: int = 4096
    feature_interval: int = 128
    num_integration_steps: int = 10
    rule: str = "right"
    maps: bool = False
    observations: bool = False
    env: str | None = None
    num_envs: int = 32
    shard_steps: int = 256
    interval: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "num_features",
            "num_feature_frames",
            "feature_interval",
            "num_integration_steps",
            "num_envs",
            "shard_steps",
            "interval",
        ):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("seed", self.seed, 0)
        if not isinstance(self.frames, Path):
            check_at_least("frames", self.frames, 1)
        if self.rule not in RULES:
            raise ValueError(f'unknown rule "{self.rule}"; expected one of {", ".join(RULES)}')

    @property
    def shard_frames(self) -> int:
        """Frames of a shard; the last one may have fewer."""
        return self.num_envs * self.shard_steps

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON has them."""
        return {
            name: value.as_posix() if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self).items()
        }
