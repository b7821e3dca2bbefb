"""An agent that sees objects by their colours, in a game that draws each kind in its own.

Its layer has one channel for each of `SEEN`: the share of each 4 x 4 pixels in its colours. Its
value is linear in the layer, and it acts at random (`POLICY`) or runs to the right (`RUNNER`).
"""

import jax.numpy as jnp
import numpy as np

from rlvision_jax import models

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


def _policy(preferences):
    def heads(colours, layer):
        del colours
        value = 1.0 + (layer * jnp.asarray(_WORTH)[None, None, None]).sum((1, 2, 3))
        return jnp.tile(jnp.asarray(preferences, jnp.float32), (len(layer), 1)), value

    return models.from_functions(
        [("seen", _layer)], heads, num_actions=15, observation_shape=(64, 64, 3)
    )


POLICY = _policy([0.0] * 15)
RUNNER = _policy([-3.0] * 7 + [1.0, 1.4] + [-3.0] * 6)  # right, right+up


# Two of each class: saws turn, and have one colour at even steps and another one at odd ones.
COLOURS = np.array(
    [
        [[255, 191, 191], [255, 191, 191]],
        [[127, 127, 255], [255, 127, 63]],
        [[191, 63, 127], [191, 63, 127]],
    ],
    np.float32,
) / np.float32(255)
"""The agent's parameters."""
