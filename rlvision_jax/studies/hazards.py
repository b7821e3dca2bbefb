"""Which feature looks at a hazard: decided by where its attribution falls, not by eye.

Host module, in NumPy.
"""

import dataclasses
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float32, Int8

from rlvision_jax._checks import check_choice
from rlvision_jax.studies.object_classes import CLASSES

HAZARDS: Final = ("saw", "enemy", "lava")
"""Classes of objects that end a level when they are touched."""


def class_excess(
    maps: Float[np.ndarray, "frame row column feature"], named: Int8[np.ndarray, "frame row column"]
) -> Float[np.ndarray, "feature class"]:
    """How much more of a feature's attribution lies on a class than by chance.

    Chance is the same attribution with the frames' ground truth exchanged among them: what a
    feature gets that always looks at the same place, whatever is there.

    Args:
      maps: attribution of each feature at each position; its magnitude counts.
      named: what each position shows, index into `CLASSES`.

    Returns:
      Share of the feature's attribution that lies on each of `CLASSES`, less that of chance: -1 to
      1. 0 of a feature without attribution.

    Example:
      >>> maps = np.array([1.0, 1.0]).reshape(2, 1, 1, 1)
      >>> named = np.array([CLASSES.index("saw"), CLASSES.index("wall")], np.int8)
      >>> float(class_excess(maps, named.reshape(2, 1, 1))[0, CLASSES.index("saw")])
      0.0
    """
    strengths = np.abs(maps).astype(np.float64)
    totals = strengths.sum((0, 1, 2))
    excess = np.zeros((maps.shape[-1], len(CLASSES)))
    for index in range(len(CLASSES)):
        is_class = (named == index).astype(np.float64)
        deviation = is_class - is_class.mean(0)
        excess[:, index] = np.einsum("nrcf,nrc->f", strengths, deviation)
    return np.divide(excess, totals[:, None], out=np.zeros_like(excess), where=totals[:, None] > 0)


# Of the excess of the feature that looks at a class most: below it, another one does not.
_HARDLY = 0.1


@dataclasses.dataclass(frozen=True)
class NamedFeatures:
    """Features of a layer with what they look at.

    Attributes:
      directions: one row for each feature, in the layer's channels.
      excess: attribution on each of `CLASSES` beyond chance, see `class_excess`.
      totals: mean magnitude of the attribution that each feature carries in a frame.
    """

    directions: Float32[np.ndarray, "feature channel"]
    excess: Float[np.ndarray, "feature class"]
    totals: Float[np.ndarray, " feature"]

    def looks_at(self, object_class: str) -> int:
        """The feature whose attribution keeps to a class most.

        Raises:
          ValueError: if there is no such class, or no feature looks at it more than by chance.
        """
        check_choice("class of objects", object_class, CLASSES)
        of_class = self.excess[:, CLASSES.index(object_class)]
        if of_class.max() <= 0:
            raise ValueError(
                f"no feature looks at {object_class} more than by chance; the frames may not show "
                "any: take more frames, more features or another layer"
            )
        return int(of_class.argmax())

    def of_no_hazard(self) -> int:
        """The strongest feature that looks at each hazard less than by chance.

        If there is none, that whose attribution keeps least to any hazard.
        """
        at_hazards = self.excess[:, [CLASSES.index(name) for name in HAZARDS]].max(1)
        harmless = at_hazards < 0
        if harmless.any():
            return int(np.where(harmless, self.totals, -1).argmax())
        return int(at_hazards.argmin())

    def of_like_strength(self, object_class: str) -> int | None:
        """Of the features that hardly look at a class, the one as strong as that which looks most.

        Args:
          object_class: the class.

        Returns:
          Among the features with less than a tenth of the strongest one's excess on the class, that
          whose attribution is nearest to it in size, by ratio. None if there is no such feature.
        """
        detector = self.looks_at(object_class)
        of_class = self.excess[:, CLASSES.index(object_class)]
        others = np.flatnonzero((of_class < _HARDLY * of_class[detector]) & (self.totals > 0))
        if not len(others):
            return None
        ratios = np.abs(np.log(self.totals[others] / self.totals[detector]))
        return int(others[ratios.argmin()])

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {name: value.tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "NamedFeatures":
        """The features of which `to_json` made this."""
        return cls(
            directions=np.asarray(content["directions"], np.float32),
            excess=np.asarray(content["excess"], np.float64),
            totals=np.asarray(content["totals"], np.float64),
        )
