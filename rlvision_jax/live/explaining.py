"""What the agent makes of a frame: value, policy, and attributions as a report's files hold them.

(Host only.)
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from rlvision_jax.attribution import attribute_scores
from rlvision_jax.factorization import NMF
from rlvision_jax.features import Directions, score_maps
from rlvision_jax.interface import PIXELS, Attribution, Layer, Report, Score
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.packing import attribution_content
from rlvision_jax.interface.scores import attributed
from rlvision_jax.live.arguments import shown
from rlvision_jax.live.errors import RequestError
from rlvision_jax.training.forward import forward_pass

# Of reports whose provenance does not say.
_DEFAULT_STEPS, _DEFAULT_RULE = 10, "right"
# Values computed frame by frame differ in rounding from those computed in a batch.
_TOLERANCE = 1e-3


class Explainer:
    """An agent that answers for single frames, with the layers, scores and method of a report."""

    def __init__(self, agent: Agent, report: Report, index: int = 0):
        """Compiles nothing yet.

        Args:
          agent: that answers.
          report: of this agent, and perhaps of another.
          index: of the agent in the report.
        """
        self._policy, self._params, _ = agent
        self._played = [one for one in report.trajectories if one.agent == index]
        self._scores = {score.name: score for score in report.scores}
        self._directions = _directions_of(report, index)
        method = report.provenance.get("report", {})
        self._num_steps = method.get("num_integration_steps", _DEFAULT_STEPS)
        self._rule = method.get("rule", _DEFAULT_RULE)
        self._open = contextlib.ExitStack()
        self._forward = self._open.enter_context(forward_pass(self._policy))

    def close(self) -> None:
        """Ends its threads."""
        self._open.close()

    def outputs(
        self, frame: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[np.ndarray, " action"], float]:
        """Policy logits and value of a frame."""
        logits, values = self._forward(self._params, frame[None])
        return logits[0], float(values[0])

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the report's layers that are this agent's."""
        return tuple(self._directions)

    def problem(self) -> str | None:
        """Why the agent does not see what the report shows; None if it does."""
        trajectory = self._played[0]
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
        if not isinstance(layer, str) or layer not in self._directions:
            raise _unknown("layer", layer, self._directions)
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
        # One at a time: one program serves all scores, another number of them would need its own.
        wanted = (attributed(score),)
        directions = self._directions[layer]
        if directions is None:
            maps = attribute_scores(
                self._policy, self._params, frame[None], None, wanted, num_steps=1
            ).values
            residual = np.zeros(maps.shape[:-1], maps.dtype)
        else:
            maps, residual = score_maps(
                self._policy,
                self._params,
                frame[None],
                directions,
                wanted,
                num_steps=self._num_steps,
                rule=self._rule,
            )
        return Attribution(layer=layer, score=score.name, maps=maps[:, 0], residual=residual[:, 0])


def _directions_of(report: Report, index: int) -> dict[str, Directions | None]:
    """The features of an agent's layers, by the layers' names in the report; None: the pixels.

    The layers of a second agent bear its name; those that do not are the first's, and also the
    second's where it is an edit of the first and has none of its own.
    """
    suffix = f" of {report.agents[1]}" if len(report.agents) > 1 else None
    own = [layer for layer in report.layers if suffix and layer.name.endswith(suffix)]
    found: dict[str, Directions | None] = {}
    for layer in report.layers:
        if layer.name == PIXELS:
            found[layer.name] = None
        elif not own or (layer in own) == bool(index):
            name = layer.name.removesuffix(suffix) if suffix and index else layer.name
            found[layer.name] = _directions(layer, name)
    return found


def _directions(layer: Layer, name: str) -> Directions:
    components = jnp.asarray(np.stack([feature.direction for feature in layer.features]))
    # How well they were fitted is not stored, and not used.
    nmf = NMF(
        components=components,
        reconstruction_error=jnp.float32(jnp.nan),
        num_iterations=jnp.int32(0),
    )
    return Directions(layer=name, nmf=nmf)


def _unknown(what: str, name: Any, known: Sequence[str] | dict[str, Any]) -> RequestError:
    names = ", ".join(f'"{one}"' for one in known)
    return RequestError(f"the report has no {what} {shown(name)}; expected one of {names}")
