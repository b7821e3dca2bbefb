"""What the agent makes of a frame: value, policy, and attributions as a report's files hold them.

(Host only.)
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from rlvision_jax._types import Params
from rlvision_jax.attribution import attribute_scores
from rlvision_jax.factorization import NMF
from rlvision_jax.features import Directions, score_maps
from rlvision_jax.interface import PIXELS, Attribution, Layer, Report, Score
from rlvision_jax.interface.packing import attribution_content
from rlvision_jax.interface.scores import attributed
from rlvision_jax.live.arguments import shown
from rlvision_jax.live.errors import RequestError
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training.forward import forward_pass

# Of reports whose provenance does not say.
_DEFAULT_STEPS, _DEFAULT_RULE = 10, "right"
# Values computed frame by frame differ in rounding from those computed in a batch.
_TOLERANCE = 1e-3


class Explainer:
    """An agent that answers for single frames, with the layers, scores and method of a report."""

    def __init__(self, policy: VisionPolicy, params: Params, report: Report):
        """Compiles nothing yet.

        Args:
          policy: of the agent.
          params: its parameters.
          report: of the same agent.
        """
        self._policy, self._params = policy, params
        self._layers = {layer.name: layer for layer in report.layers}
        self._scores = {score.name: score for score in report.scores}
        self._directions = {
            layer.name: _directions(layer) for layer in report.layers if layer.name != PIXELS
        }
        method = report.provenance.get("report", {})
        self._num_steps = method.get("num_integration_steps", _DEFAULT_STEPS)
        self._rule = method.get("rule", _DEFAULT_RULE)
        self._open = contextlib.ExitStack()
        self._forward = self._open.enter_context(forward_pass(policy))

    def close(self) -> None:
        """Ends its threads."""
        self._open.close()

    def outputs(
        self, frame: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[np.ndarray, " action"], float]:
        """Policy logits and value of a frame."""
        logits, values = self._forward(self._params, frame[None])
        return logits[0], float(values[0])

    def problem(self, report: Report) -> str | None:
        """Why the agent does not see what a report shows; None if it does."""
        trajectory = report.trajectories[0]
        seen, frame = tuple(self._policy.observation_shape), trajectory.observations[0]
        if frame.shape != seen:
            return (
                f"the agent sees frames of shape {seen}, of which the report shows {frame.shape} "
                "only; changed frames cannot be given to it"
            )
        recorded, value = float(trajectory.values[0]), self.outputs(frame)[1]
        if abs(value - recorded) > _TOLERANCE * max(1.0, abs(recorded)):
            return (
                f"the agent values the first frame at {value:.4g}, the report at {recorded:.4g}; "
                "it saw the frames otherwise than the report shows them, or is another agent"
            )
        return None

    def attributions(
        self, frame: UInt8[np.ndarray, "height width 3"], layer: Any, scores: Any
    ) -> list[dict[str, Any]]:
        """Attributions of a frame's scores to a layer.

        Args:
          frame: what the agent sees.
          layer: name of one of the report's layers.
          scores: names of any of the report's scores.

        Returns:
          For each score what an attribution file holds, of one step.

        Raises:
          RequestError: if a name is none of the report's.
        """
        if not isinstance(layer, str) or layer not in self._layers:
            raise _unknown("layer", layer, self._layers)
        if not isinstance(scores, list):
            raise RequestError(f"scores must be a list of names; got {shown(scores)}")
        for name in scores:
            if not isinstance(name, str) or name not in self._scores:
                raise _unknown("score", name, self._scores)
        return [
            attribution_content(self._attribution(frame, layer, self._scores[name]))
            for name in scores
        ]

    def _attribution(
        self, frame: UInt8[np.ndarray, "height width 3"], layer: str, score: Score
    ) -> Attribution:
        # One at a time: a program is compiled for each score rather than for each choice of them.
        wanted = (attributed(score),)
        if layer == PIXELS:
            maps = attribute_scores(
                self._policy, self._params, frame[None], None, wanted, num_steps=1
            ).values
            residual = np.zeros(maps.shape[:-1], maps.dtype)
        else:
            maps, residual = score_maps(
                self._policy,
                self._params,
                frame[None],
                self._directions[layer],
                wanted,
                num_steps=self._num_steps,
                rule=self._rule,
            )
        return Attribution(layer=layer, score=score.name, maps=maps[:, 0], residual=residual[:, 0])


def _directions(layer: Layer) -> Directions:
    components = jnp.asarray(np.stack([feature.direction for feature in layer.features]))
    # How well they were fitted is not stored, and not used.
    nmf = NMF(
        components=components,
        reconstruction_error=jnp.float32(jnp.nan),
        num_iterations=jnp.int32(0),
    )
    return Directions(layer=layer.name, nmf=nmf)


def _unknown(what: str, name: Any, known: Sequence[str] | dict[str, Any]) -> RequestError:
    names = ", ".join(f'"{one}"' for one in known)
    return RequestError(f"the report has no {what} {shown(name)}; expected one of {names}")
