# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # How interpretable are the features?
#
# Finds the features of the shipped agent and scores each by ground truth: does it keep to one kind
# of object? Features of known answer are scored beside them. `NUM_FRAMES` is the one knob;
# `rlvision study interpretability` does the same on 4,096 frames that lie further apart.

# %%
import rlvision_jax as rlv
from rlvision_jax.envs.coinrun import CoinRunConfig

NUM_FRAMES = 128

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))

# %% [markdown]
# ## Frames with ground truth
#
# Each frame comes with masks of what it shows. A receptive field says which pixels a position of
# the layer sees; from both follows what each position lies on or beside.

# %%
frames = rlv.studies.sample_labelled_frames(
    policy, params, config, num_frames=NUM_FRAMES, interval=12, num_envs=64
)
field = rlv.studies.receptive_fields(policy, params)["2b"]
print("row 16 of layer 2b sees the pixel rows from", *field.rows[16])
named = rlv.studies.position_classes(frames.masks, field)
for index, name in enumerate(rlv.studies.CLASSES):
    print(f"{name:<11}{(named == index).mean():6.1%} of positions")

# %% [markdown]
# ## Scores
#
# docs/studies/interpretability.md defines them. With so few frames intervals are wide, and what
# is not told from chance scores 0.

# %%
settings = rlv.studies.InterpretabilityConfig(layer="2b", num_frames=NUM_FRAMES, resamples=200)
rows = rlv.studies.score_layer(policy, params, frames, settings)
for row in rows:
    interval = f"[{row['score_low']:.2f}, {row['score_high']:.2f}]"
    print(f"{row['feature']:<12}{row['score']:5.2f} {interval}  {row['object_class'] or ''}")

# %% [markdown]
# ## The figure

# %%
svg = rlv.studies.draw_interpretability(rlv.studies.InterpretabilityResult(tuple(rows)))
svg[:5]

# %% [markdown]
# ## Coin, or end of the level?
#
# The coin always lies at the end. The same frames with the coin moved to a random place tell
# whether a feature that points at coins follows the coin. `rlvision study goal` adds what the agent
# does: does it still run to the end?

# %%
observations, games = rlv.studies.sample_games(
    policy, params, config, num_frames=NUM_FRAMES, interval=12, num_envs=64
)
moved = CoinRunConfig(distribution_mode="easy", coin="moved")
pairs = rlv.studies.pair_frames(observations, games, config, moved)
directions = rlv.features.find_directions(policy, params, observations, "2b", num_features=8)
*found, value = rlv.studies.follow_coin(policy, params, pairs, directions, settings)
print("feature  on moved coin  on old place  added by the coin")
for number, each in enumerate(found, 1):
    print(
        f"{number:>7}{each['moved_coin'].mean:>15.1%}{each['old_place'].mean:>14.1%}"
        f"{each['effect_moved'].mean:>+19.3f}"
    )
print(f"the moved coin adds {value['effect_moved'].mean:+.3f} to the value")
