"""Names that people give to features: a file that the page saves and reads, and so does this.

Host module: reads and writes files.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlvision_jax.interface.schema import Report

_FORMAT = "rlvision-labels"
_VERSION = 1


class NotLabelsError(ValueError):
    """A file does not hold names of features."""


def save_labels(layers: Mapping[str, Sequence[str]], path: str | os.PathLike[str]) -> None:
    """Writes names of features, as the page's "Save names" does.

    Args:
      layers: for each layer the names of its features, in order.
      path: file to write.
    """
    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "layers": {name: list(names) for name, names in layers.items()},
    }
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_labels(path: str | os.PathLike[str]) -> dict[str, tuple[str, ...]]:
    """Reads names of features.

    Args:
      path: a file that the page or `save_labels` wrote.

    Returns:
      For each layer the names of its features, in order.

    Raises:
      NotLabelsError: if the file holds something else.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        known = (content["format"], content["version"]) == (_FORMAT, _VERSION)
        layers = {name: tuple(names) for name, names in content["layers"].items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _not_labels(path) from error
    if not known or not all(isinstance(n, str) for names in layers.values() for n in names):
        raise _not_labels(path)
    return layers


def with_labels(report: Report, layers: Mapping[str, Sequence[str]]) -> Report:
    """The report with other names of features.

    Args:
      report: of an agent whose features are those that were named: found by the same
        configuration, else names meet other features.
      layers: for each layer the names of its features, in order; layers that the report does not
        have are passed over.

    Raises:
      ValueError: if a layer has another number of features than names.
    """
    renamed = []
    for layer in report.layers:
        names = layers.get(layer.name)
        if names is not None:
            if len(names) != len(layer.features):
                raise ValueError(
                    f"{len(names)} names for the {len(layer.features)} features of layer "
                    f'"{layer.name}"; the labels were made for another report'
                )
            features = tuple(
                dataclasses.replace(feature, name=name)
                for feature, name in zip(layer.features, names, strict=True)
            )
            layer = dataclasses.replace(layer, features=features)
        renamed.append(layer)
    return dataclasses.replace(report, layers=tuple(renamed))


def _not_labels(path: str | os.PathLike[str]) -> NotLabelsError:
    return NotLabelsError(
        f'{path} holds no names of features; expected a file that a report\'s "Save names" wrote'
    )
