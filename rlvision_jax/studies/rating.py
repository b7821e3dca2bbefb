"""A page on which people rate features blindly, to compare with the automatic score.

In Hilton et al. 2020 two researchers rated the features of each model "without being shown the
number of levels". Here models and features are shuffled together, and the key is a file of its own.
(Host only: files.)
"""

import base64
import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from rlvision_jax.features import strongest_patches

HIGHEST_RATING: Final = 10
"""Ratings are whole numbers from 0 to this: the article's percentages are 80ths, eight features in
tenths."""

_TEMPLATE = Path(__file__).parent / "rating_page.html"
_COLUMNS = ("page", "rater", "item", "rating")


class RatedFeature(NamedTuple):
    """One feature, to be rated.

    Attributes:
      agent: whose it is.
      feature: its number, from 1.
      object_class: what it keeps to by its score; None: nothing.
      score: the automatic one.
      patches: PNG of each example, in base64, strongest first.
      raises: whether the feature raised the value there.
    """

    agent: str
    feature: int
    object_class: str | None
    score: float
    patches: Sequence[str]
    raises: Sequence[bool]


class Rating(NamedTuple):
    """What one person thought of one feature.

    Attributes:
      rater: who.
      item: its name on the page.
      rating: 0 to `HIGHEST_RATING`.
    """

    rater: str
    item: str
    rating: int


def example_patches(
    observations: UInt8[np.ndarray, "frame height width 3"],
    maps: Float[np.ndarray, "frame row column"],
    groups: Int[np.ndarray, " frame"],
    *,
    num_examples: int,
    side: int = 20,
) -> tuple[list[str], list[bool]]:
    """What is around the strongest attributions of a feature, and their signs.

    Args:
      observations: frames, 0-255.
      maps: attribution of the value to the feature.
      groups: level of each frame; examples are of different ones where there are enough.
      num_examples: at most.
      side: of a patch, pixels.

    Returns:
      PNGs in base64, and whether the value is raised.
    """
    examples = strongest_patches(
        observations,
        np.abs(maps),
        num_examples=min(num_examples, len(observations)),
        expansion=side * maps.shape[1] / observations.shape[1],
        groups=groups,
    )
    at = maps[examples.frames, *examples.positions.T]
    return [_png(patch) for patch in examples.patches], (at > 0).tolist()


def rating_page(features: Sequence[RatedFeature], *, seed: int = 0) -> tuple[str, dict[str, Any]]:
    """The page, and the key that raters must not see.

    Args:
      features: of any number of agents.
      seed: of the order on the page.

    Returns:
      HTML that needs no other file, and what each item is, as JSON values.

    Raises:
      ValueError: if there are no features.
    """
    if not features:
        raise ValueError("a rating page needs at least one feature; got none")
    order = np.random.default_rng(seed).permutation(len(features))
    items = {f"item-{place + 1}": features[index] for place, index in enumerate(order)}
    shown = [
        {
            "item": item,
            "patches": [
                {"png": png, "raises": bool(raises)}
                for png, raises in zip(feature.patches, feature.raises, strict=True)
            ],
        }
        for item, feature in items.items()
    ]
    page = hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:12]
    data = json.dumps({"page": page, "highest": HIGHEST_RATING, "features": shown})
    html = _TEMPLATE.read_text(encoding="utf-8").replace("DATA", data, 1)
    secret = ("agent", "feature", "object_class", "score")
    key = {item: {name: getattr(each, name) for name in secret} for item, each in items.items()}
    return html, {"page": page, "items": key}


def read_ratings(path: str | Path, key: Mapping[str, Any]) -> list[Rating]:
    """Reads a file that the page saved.

    Args:
      path: of the CSV.
      key: of the page, from `rating_page`.

    Raises:
      ValueError: if the file is no ratings, of another page, or holds an item twice, an unknown
        one, or a rating out of range.
    """
    rows = list(csv.DictReader(io.StringIO(Path(path).read_text(encoding="utf-8"))))
    if not rows or tuple(rows[0]) != _COLUMNS:
        raise ValueError(f"{path} must have the columns {', '.join(_COLUMNS)} and at least one row")
    ratings: dict[tuple[str, str], Rating] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}, line {line}"
        if row["page"] != key["page"]:
            raise ValueError(f"{where}: rates page {row['page']}, the key is of {key['page']}")
        if row["item"] not in key["items"]:
            raise ValueError(f'{where}: unknown item "{row["item"]}"')
        if row["rating"] not in map(str, range(HIGHEST_RATING + 1)):
            raise ValueError(
                f"{where}: a rating is a whole number from 0 to {HIGHEST_RATING}; "
                f'got "{row["rating"]}"'
            )
        who = row["rater"], row["item"]
        if who in ratings:
            raise ValueError(f"{where}: {who[0]} rates {who[1]} a second time")
        ratings[who] = Rating(*who, int(row["rating"]))
    return list(ratings.values())


def _png(patch: UInt8[np.ndarray, "height width 3"]) -> str:
    image = io.BytesIO()
    Image.fromarray(patch).save(image, "PNG", optimize=True)
    return base64.b64encode(image.getvalue()).decode()
