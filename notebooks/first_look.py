# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # What does the shipped agent see?
#
# Plays CoinRun with the agent that comes with the package, attributes its value function to layer
# 2b, finds eight features, and looks at which of them speak for and against the value of a frame.
# Every cell runs as it stands; `NUM_FRAMES` is the one knob.

# %%
import jax
import numpy as np

import rlvision_jax as rlv

NUM_FRAMES = 128

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))
env = rlv.envs.make(config["env"], num_envs=32, **config["env_options"])
frames = rlv.training.sample_observations(
    policy, params, env, jax.random.key(0), NUM_FRAMES, interval=16
)
frames.shape

# %% [markdown]
# ## Attribution is complete
#
# The attributions of a frame sum to its value, less the value that the agent gives to a silent
# layer. The rule of the paper (right, ten steps) leaves a small residual; more steps shrink it.

# %%
silent = np.zeros((1, *policy.layer_shape("2b")), np.float32)
_, value_when_silent = policy.head(params, silent, "2b")
_, values = policy.apply(params, frames[:16])
for num_steps in (1, 10, 40):
    attribution = rlv.attribution.attribute(
        policy, params, frames[:16], "2b", "value", num_steps=num_steps
    )
    error = attribution.sum((1, 2, 3)) - (np.asarray(values) - np.asarray(value_when_silent))
    print(f"{num_steps:>3} steps: largest completeness residual {np.abs(error).max():.4f}")

# %% [markdown]
# ## Eight features
#
# NMF of the attributions, positive and negative parts stacked, as in the article.

# %%
directions = rlv.features.find_directions(policy, params, frames, "2b", num_features=8)
maps, residual = rlv.features.attribution_maps(policy, params, frames[:16], directions, "value")
totals = maps.sum((1, 2))
print("frame  value  features (signed share of the value)")
for index in range(4):
    shares = " ".join(f"{share:+.2f}" for share in totals[index])
    print(
        f"{index:>5} {float(values[index]):6.2f}  {shares}  residual {residual[index].sum():+.2f}"
    )

# %% [markdown]
# ## Does a feature matter?
#
# Project its direction out of the weights that read the layer, and the policy no longer sees it.

# %%
strongest = int(np.abs(totals).sum(0).argmax())
blind = rlv.editing.project_out(policy, params, "2b", directions.nmf.components[strongest])
_, blind_values = policy.apply(blind, frames[:16])
print(
    f"without feature {strongest + 1} the values of 16 frames move by "
    f"{np.abs(np.asarray(blind_values - values)).mean():.2f} on average"
)
env.close()
