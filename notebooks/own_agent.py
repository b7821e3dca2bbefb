# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Does attribution find reasons that we know?
#
# An agent of our own, in Flax NNX, whose weights we set by hand: its layer has one channel that
# detects yellow (coins are), one for blue, and one for brightness that nothing reads. It values
# yellow in the upper half of the frame at +40, and blue anywhere at -2. Attribution and
# factorization know nothing of this; they should find it. `docs/own_agents.md` tells how other
# agents are brought here.

# %%
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import rlvision_jax as rlv

NUM_FRAMES = 64


class ColorAgent(nnx.Module):
    """Averages 4x4 pixels, detects colors, and weighs them."""

    def __init__(self):
        detectors = jnp.asarray([[1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [-2.0, 2.0, 1.0]]) / 2
        self.detectors = nnx.Param(detectors)  # color -> yellow, blue, brightness
        upper = jnp.arange(16) < 8
        weights = jnp.stack([40.0 * upper, jnp.full(16, -2.0), jnp.zeros(16)], -1) / 256
        self.weights = nnx.Param(weights)  # row of the layer and channel -> value

    def colors(self, x):
        x = x.reshape(len(x), 16, 4, 16, 4, 3).mean((2, 4))
        return nnx.relu(jnp.einsum("bhwi,io->bhwo", x, self.detectors[...]))

    def heads(self, x):
        value = jnp.einsum("bhwc,hc->b", x, self.weights[...])
        return jnp.zeros((len(x), 15)), value  # acts at random


graph, params = nnx.split(ColorAgent())
policy = rlv.models.from_functions(
    [("colors", lambda params, x: nnx.merge(graph, params).colors(x))],
    lambda params, x: nnx.merge(graph, params).heads(x),
    num_actions=15,
    observation_shape=(64, 64, 3),
    name="color agent",
)

# %% [markdown]
# ## Frames of CoinRun, and a check that the chain is sound

# %%
env = rlv.envs.make("procgen:coinrun", num_envs=16, distribution_mode="easy")
frames = rlv.training.sample_observations(
    policy, params, env, jax.random.key(0), NUM_FRAMES, interval=4
)
env.close()
rlv.models.check_policy(policy, params, frames)

# %% [markdown]
# ## What is found
#
# The value is linear in the layer, so that attribution is exact: weight times activation. Two
# features suffice, one for each reason, and the channel that nothing reads is in neither.

# %%
directions = rlv.features.find_directions(policy, params, frames, "colors", num_features=2)
components = np.asarray(directions.nmf.components)
components = components / components.sum(1, keepdims=True)
print("           yellow   blue  brightness")
for index, row in enumerate(components):
    print(f"feature {index + 1}  {row[0]:6.2f} {row[1]:6.2f}      {row[2]:6.2f}")

# %% [markdown]
# ## Where they speak
#
# Yellow speaks for the value, in the upper half only; blue against it, wherever it is.

# %%
maps, residual = rlv.features.attribution_maps(policy, params, frames, directions, "value")
yellow, blue = components[:, :2].argmax(0)
_, values = policy.apply(params, frames)
print(f"yellow, upper half: {maps[:, :8, :, yellow].sum((1, 2)).mean():+.3f}")
print(f"yellow, lower half: {maps[:, 8:, :, yellow].sum((1, 2)).mean():+.3f}")
print(f"blue:               {maps[..., blue].sum((1, 2)).mean():+.3f}")
print(f"residual:           {residual.sum((1, 2)).mean():+.3f}")
print(f"mean value:         {np.asarray(values).mean():+.3f}")
