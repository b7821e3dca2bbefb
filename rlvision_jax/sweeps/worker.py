"""Computes one shard of a sweep and writes it. (Host only.)"""

import dataclasses
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from rlvision_jax._types import Params
from rlvision_jax.attribution import parse_scores
from rlvision_jax.attribution.scores import CheckedScore, checked_score
from rlvision_jax.models import VisionPolicy
from rlvision_jax.sweeps.computing import MAPS, compute
from rlvision_jax.sweeps.config import SweepConfig
from rlvision_jax.sweeps.frames import FrameSource
from rlvision_jax.sweeps.played_frames import PlayedFrames
from rlvision_jax.sweeps.read_frames import OBSERVATIONS, ReadFrames
from rlvision_jax.sweeps.schema import BLOCK_FRAMES
from rlvision_jax.sweeps.store import write_frames
from rlvision_jax.sweeps.sweep import Sweep


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardWorker:
    """All that the shards of one sweep have in common. Can be pickled.

    Attributes:
      policy: what is attributed.
      params: its parameters.
      agent_config: names the environment.
      config: the sweep; the layer is named.
      out: folder of the store, which exists.
      num_threads: threads that step host environments; None: one for each processor.
    """

    policy: VisionPolicy
    params: Params
    agent_config: Mapping[str, Any]
    config: SweepConfig
    out: Path
    num_threads: int | None = None

    @cached_property
    def source(self) -> FrameSource:
        """Where the frames come from."""
        if isinstance(self.config.frames, Path):
            return ReadFrames(self.config.frames, self.policy.observation_shape)
        return PlayedFrames(
            self.policy,
            self.params,
            self.agent_config,
            self.config,
            num_threads=self.num_threads,
        )

    def __call__(self, shard: slice, on_frames: Callable[[int], None]) -> None:
        """Computes and writes the frames of one shard.

        Args:
          shard: its frames.
          on_frames: told how many more frames are written.

        Raises:
          OSError: if the frames cannot be read, or the store not written.
        """
        config, sweep = self.config, self._sweep
        frames = self.source.read(shard.start, shard.stop, on_frame=lambda count: None)
        small: dict[str, list[np.ndarray]] = {}
        block_frames = BLOCK_FRAMES
        if MAPS[0] in sweep:
            # Whole files at a time.
            block_frames = (sweep[MAPS[0]].shards or (BLOCK_FRAMES,))[0]
        for first in range(0, len(frames.observations), block_frames):
            observations = frames.observations[first : first + block_frames]
            results = compute(
                self.policy,
                self.params,
                sweep.directions.nmf,
                observations,
                sweep.directions.layer,
                self._scores,
                num_steps=config.num_integration_steps,
                rule=config.rule,
                maps=config.maps,
            )
            large = {name: results.pop(name) for name in MAPS if name in results}
            if config.observations:
                large[OBSERVATIONS] = observations
            write_frames(self.out, shard.start + first, large)
            for name, values in results.items():
                small.setdefault(name, []).append(values)
            on_frames(len(observations))
        whole = {name: np.concatenate(parts) for name, parts in small.items()}
        write_frames(self.out, shard.start, {**frames.facts, **whole})

    @cached_property
    def _sweep(self) -> Sweep:
        return Sweep(self.out)

    @cached_property
    def _scores(self) -> tuple[CheckedScore, ...]:
        named = parse_scores(self.config.scores.split(","), self.policy.num_actions)
        layer = self.config.layer
        return tuple(
            checked_score(score, self.policy, self.params, layer) for score in named.values()
        )

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what is opened here is opened again elsewhere."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Fields of a frozen dataclass."""
        self.__dict__.update(state)
