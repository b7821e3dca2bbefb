"""An agent that sees objects by their colours, in a game that draws each kind in its own.

Its layer has one channel for each of `SEEN`: the share of each 4 x 4 pixels in its colours. Its
value is linear in the layer, and it acts at random.
"""

import jax.numpy as jnp
import numpy as np

from rlvision_jax import models
from rlvision_jax.studies.object_classes import CLASSES

AGENT_CONFIG = {
    "env": "procgen:coinrun",
    "env_options": {
        "distribution_mode": "easy",
        "use_monochrome_assets": True,
        "use_backgrounds": False,
        "restrict_themes": True,
    },
}
SEEN = ("coin", "saw", "crate")
# What a full position adds to the value.
_WORTH = (2.0, -1.0, 0.5)


def _layer(colours, pixels):
    distance = jnp.abs(pixels[..., None, None, :] - colours[None, None, None]).sum(-1).min(-1)
    # 1 for the colour itself, at most 4e-5 for the next one, and 0 for none: receptive fields are
    # measured by changing pixels.
    likeness = 1 / (1 + (distance / 0.02) ** 4)
    batch, height, width, seen = likeness.shape
    return likeness.reshape(batch, height // 4, 4, width // 4, 4, seen).mean((2, 4))


def _heads(colours, layer):
    del colours
    value = 1.0 + (layer * jnp.asarray(_WORTH)[None, None, None]).sum((1, 2, 3))
    return jnp.zeros((len(layer), 15)), value


POLICY = models.from_functions(
    [("seen", _layer)], _heads, num_actions=15, observation_shape=(64, 64, 3)
)


def colours_of(frames):
    """The parameters: two colours of each class in labelled frames, the most frequent ones.

    Saws turn: they have one colour at even steps, another one at odd ones.
    """
    colours = []
    for name in SEEN:
        pixels = frames.observations[frames.masks[..., CLASSES.index(name)]]
        found, counts = np.unique(pixels, axis=0, return_counts=True)
        most = found[np.argsort(-counts)[:2]]
        colours.append(most[[0, -1]] / np.float32(255))
    return np.stack(colours).astype(np.float32)


NO_COLOURS = np.full((len(SEEN), 2, 3), -1, np.float32)
"""Parameters of an agent that sees nothing yet: it acts the same."""
