"""The levels in which an agent hallucinated, so that they can be played again and looked at."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from rlvision_jax.factorization import NMF
from rlvision_jax.features import Directions, strongest_patches
from rlvision_jax.training import Played

# Of each feature: with eight features 0.8 MB of frames.
_NUM_EXAMPLES = 8


class Stretch(NamedTuple):
    """A level of the play, from its beginning to its end or to the end of the play.

    Attributes:
      level_seed: the level's.
      actions: taken in it.
      steps: of the hallucinations, from the beginning of the level.
      rows: places of the hallucinations in the study's table.
    """

    level_seed: int
    actions: list[int]
    steps: list[int]
    rows: list[int]


class Seen(NamedTuple):
    """What it takes to look at hallucinations.

    Attributes:
      stretches: the levels, in the order of their largest hallucinations.
      directions: the features.
      examples: observations in which the features are strongest.
    """

    stretches: tuple[Stretch, ...]
    directions: Directions
    examples: UInt8[np.ndarray, "frame height width channel"]

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        nmf = self.directions.nmf
        return {
            "stretches": [stretch._asdict() for stretch in self.stretches],
            "layer": self.directions.layer,
            "components": np.asarray(nmf.components).tolist(),
            "reconstruction_error": float(nmf.reconstruction_error),
            "num_iterations": int(nmf.num_iterations),
            "shape": list(self.examples.shape),
            "examples": base64.b64encode(self.examples.tobytes()).decode("ascii"),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Seen":
        """Reads what `to_json` gave."""
        nmf = NMF(
            components=jnp.asarray(content["components"], jnp.float32),
            reconstruction_error=jnp.float32(content["reconstruction_error"]),
            num_iterations=jnp.int32(content["num_iterations"]),
        )
        pixels = np.frombuffer(base64.b64decode(content["examples"]), np.uint8)
        return cls(
            stretches=tuple(Stretch(**stretch) for stretch in content["stretches"]),
            directions=Directions(layer=content["layer"], nmf=nmf),
            examples=pixels.reshape(content["shape"]),
        )


def stretches_of(
    rows: Sequence[Mapping[str, Any]], played: Played, num_rows: int
) -> tuple[Stretch, ...]:
    """The levels that hold the first hallucinations of a table.

    Args:
      rows: of the table, with `trajectory` and `step`.
      played: the play that was looked through.
      num_rows: hallucinations to hold, at most.
    """
    ended = played.terminated | played.truncated
    found: dict[tuple[int, int], Stretch] = {}
    for place, row in enumerate(rows[:num_rows]):
        env, step = row["trajectory"], row["step"]
        ends = np.flatnonzero(ended[:, env]) + 1
        start = int(ends[ends <= step].max(initial=0))
        end = int(ends[ends > step].min(initial=len(ended)))
        stretch = found.setdefault(
            (env, start),
            Stretch(
                int(played.level_seeds[step, env]), played.actions[start:end, env].tolist(), [], []
            ),
        )
        stretch.steps.append(step - start)
        stretch.rows.append(place)
    return tuple(found.values())


def examples_of(
    observations: UInt8[np.ndarray, "frame height width channel"],
    strengths: Float[np.ndarray, "frame row column feature"],
) -> UInt8[np.ndarray, "example height width channel"]:
    """The observations in which features are strongest, a few for each.

    Args:
      observations: frames, 0-255.
      strengths: from `features.feature_activations`.
    """
    count = min(_NUM_EXAMPLES, len(observations))
    chosen = [
        strongest_patches(observations, strengths[..., feature], num_examples=count).frames
        for feature in range(strengths.shape[-1])
    ]
    return observations[np.unique(np.concatenate(chosen))]
