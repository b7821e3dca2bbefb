# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Why does the agent fail?
#
# Plays levels with the shipped agent, finds the exact cause of every failure, and looks at the
# moment of the worst surprise. `NUM_LEVELS` is the one knob; `rlvision study failures` does the
# same over 10,000 levels and adds a gallery that opens in the browser.

# %%
import tempfile

import numpy as np

import rlvision_jax as rlv

NUM_LEVELS = 24

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))

# %% [markdown]
# ## Levels, in resumable cells
#
# Finished cells lie in a folder; run again with the same settings, the study reads them. Name a
# folder of your own to keep them.

# %%
cells = rlv.studies.Cells(tempfile.mkdtemp())
settings = rlv.studies.FailuresConfig(num_levels=NUM_LEVELS, num_envs=8)
result = rlv.studies.study_failures(policy, params, config, settings, cells=cells)
for row in result.table.rows:
    interval = f"[{100 * row['low']:.1f}, {100 * row['high']:.1f}]%"
    print(f"{row['outcome']:<14}{row['levels']:>4} of {NUM_LEVELS}  {interval}")

# %% [markdown]
# ## The worst surprise
#
# The failed level of the lowest advantage, played again: what the agent expected before and after.

# %%
worst = result.episodes[0]
played = rlv.studies.replay(policy, params, config, worst.seed, worst.actions)
advantages = rlv.training.played_advantages(played, config)[:, 0]
print(
    f"level {worst.seed} failed by {worst.cause} after {len(worst.actions)} steps; "
    f"lowest advantage {worst.worst_advantage:.2f} at step {worst.worst_step}"
)
nearby = slice(max(0, worst.worst_step - 3), worst.worst_step + 4)
print("values around it:", np.round(played.values[nearby, 0], 2))

# %% [markdown]
# ## The figure
#
# Shares of levels beside the article's agent, which was far better trained; and how surprised the
# agent was in levels that it completed and failed.

# %%
svg = rlv.studies.draw_failures(result)
svg[:5]
