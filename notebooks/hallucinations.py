# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Does the agent see what is not there?
#
# Plays the shipped agent and looks for steps at which a feature moves the value though no object of
# its class lies in its receptive field. Then plants objects, to learn what the finder finds.
# `NUM_STEPS` is the one knob; `rlvision study hallucinations` looks through 8,192 steps.

# %%
import tempfile

import rlvision_jax as rlv

NUM_STEPS = 32

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))
settings = rlv.studies.HallucinationsConfig(
    num_frames=128,
    frame_interval=12,
    num_envs=64,
    least_score=0.05,
    num_trajectories=8,
    num_steps=NUM_STEPS,
    planted=("saw",),
    num_cases=16,
)
cells = rlv.studies.Cells(tempfile.mkdtemp())
result = rlv.studies.study_hallucinations(policy, params, config, settings, cells=cells)
print("the features detect:", ", ".join(name or "nothing" for name in result.classes))

# %% [markdown]
# ## What was found
#
# A detector of saws that answers to an enemy is one of the more common kinds.

# %%
print(f"{len(result.rows)} in {result.num_steps} steps")
for row in result.rows[:5]:
    print(
        f"play {row['trajectory']} step {row['step']}: {row['object_class']} seen in "
        f"{row['instead']}, {row['change']:+.2f}; value {row['value_change']:+.2f}"
    )

# %% [markdown]
# ## What the finder finds
#
# Saws are planted into frames: their pixels pasted somewhere ("pasted"); drawn by the game, but
# missing from the state that is taken for true ("unlisted"); really there ("real"). The agent may
# not care about a planted saw: `moved` counts those that move its value.

# %%
print("kind        cases  moved  found")
for row in result.trial_table.rows:
    print(f"{row['kind']:<10}{row['cases']:>7}{row['moved']:>7}{row['flagged']:>7}")

# %%
svg = rlv.studies.draw_hallucinations(result)
svg[:5]
