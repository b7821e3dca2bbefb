# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Attribution: how complete it is, which rule to take, and a sweep
#
# Integrated gradients say how much of a score comes from each position and channel of a layer. The
# parts should add up to the whole. This notebook measures how nearly they do, for each rule and
# number of steps, and then attributes a few hundred frames into a store on disk and plots them.
# Figures need matplotlib (`pip install 'rlvision_jax[studies]'`); without it, the numbers remain.

# %%
import pathlib
import tempfile

import jax
import numpy as np

import rlvision_jax as rlv

NUM_FRAMES = 256
LAYER = "2b"

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))
env = rlv.envs.make(config["env"], num_envs=16, **config["env_options"])
frames = rlv.training.sample_observations(policy, params, env, jax.random.key(0), 16, interval=8)
env.close()

# %% [markdown]
# ## Completeness
#
# `attribute_scores` returns the residual with every attribution: the sum of the parts minus the
# difference that they explain. The article takes ten steps of the right rule, which evaluates at
# the end of every step. The midpoint rule should beat it, and Gauss and Legendre's beat both, where
# the score is smooth along the path. ReLUs and pooling bend it, most of all near the silent layer,
# so the textbook's order is not certain; this is what it is here.

# %%
STEPS = (1, 3, 10)
residuals = {
    rule: [
        float(
            np.abs(
                rlv.attribution.attribute_scores(
                    policy, params, frames, LAYER, ("value",), num_steps=steps, rule=rule
                ).residuals
            ).mean()
        )
        for steps in STEPS
    ]
    for rule in rlv.attribution.RULES
}
print("mean |residual| of the value over", len(frames), "frames")
print(f"{'steps':<16}", *(f"{steps:>8}" for steps in STEPS))
for rule, values in residuals.items():
    print(f"{rule:<16}", *(f"{value:>8.4f}" for value in values))

# %% [markdown]
# ## Many scores at once
#
# The value, a logit, and the log-probability of going right share all forward work. Of the last
# two the first grows when every action becomes likelier, the second only when right does.

# %%
right = (6, 7, 8)
scores = ("value", 7, rlv.attribution.LogProbability(right))
several = rlv.attribution.attribute_scores(policy, params, frames, LAYER, scores, num_steps=10)
for name, values, left in zip(
    ("value", "logit of right", "log p of right"),
    several.scores.T,
    several.residuals.T,
    strict=True,
):
    print(f"{name:<16}mean {values.mean():>8.3f}, worst residual {np.abs(left).max():.4f}")

# %% [markdown]
# ## A sweep
#
# `rlvision attribute` does this for a million frames; here it plays a few hundred. The store can
# be stopped and continued; `sweeps.open` reads it lazily.

# %%
folder = pathlib.Path(tempfile.mkdtemp())  # yours to remove
sweep = rlv.sweeps.run_sweep(
    policy,
    params,
    config,
    rlv.sweeps.SweepConfig(
        frames=NUM_FRAMES,
        layer=LAYER,
        num_features=6,
        num_feature_frames=64,
        feature_interval=8,
        num_envs=2,
        shard_steps=NUM_FRAMES // 4,
        maps=True,
        observations=True,
    ),
    folder / "sweep.zarr",
)
print(sweep.summary())

# %% [markdown]
# What one environment shows lies side by side, so a slice is a stretch of play: the value over
# time, and what each feature says to it. The frame where the most is said stands beside it, with
# its features drawn over it.

# %%
stretch = slice(0, NUM_FRAMES // 4)
totals = (sweep["feature_positive"][stretch] + sweep["feature_negative"][stretch])[:, 0]
strongest = int(np.abs(totals).sum(1).argmax())
picture = rlv.features.overlay(
    sweep["observations"][strongest : strongest + 1],
    sweep["maps"][strongest : strongest + 1, 0].astype(np.float32),
)[0]


def draw():
    """The figure, if matplotlib is installed; None without it."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    rules, time, frame = figure.subplots(1, 3, width_ratios=(1, 2, 1))
    for rule, values in residuals.items():
        rules.loglog(STEPS, values, marker="o", label=rule)
    rules.set(xlabel="integration steps", ylabel="mean |completeness residual|")
    rules.legend()
    time.plot(sweep["value"][stretch], color="black", label="value")
    for feature, color in enumerate(rlv.features.hues(totals.shape[1])):
        time.plot(totals[:, feature], color=color, label=f"feature {feature + 1}")
    time.axvline(strongest, color="grey", linewidth=0.5)
    time.set(xlabel="frame", ylabel="attribution (units of the value)")
    time.legend(fontsize="small", ncols=2)
    frame.imshow(picture)
    frame.set(title=f"frame {strongest}", xticks=[], yticks=[])
    return figure


draw()
