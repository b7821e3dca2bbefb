# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Does a feature do what it looks like?
#
# Finds which feature of layer 2b looks at saws, projects it out of the next kernel, and plays the
# same levels with the original, the edited agent and controls. Far too few levels here to conclude
# anything: `rlvision study editing` plays 10,000, and docs/studies/editing.md says what came of it.

# %%
import tempfile

import rlvision_jax as rlv

NUM_LEVELS = 8

policy, params, config = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))

# %% [markdown]
# ## The study
#
# `ceiling=True` would also play levels whose saws are invisible, the most that blindness can do;
# the game on the device takes a minute to compile for that.

# %%
settings = rlv.studies.EditingConfig(
    num_levels=NUM_LEVELS,
    num_envs=8,
    num_frames=64,
    frame_interval=16,
    rounds=1,
    strengthen=(),
    ceiling=False,
)
cells = rlv.studies.Cells(tempfile.mkdtemp())
result = rlv.studies.study_editing(policy, params, config, settings, cells=cells)

# %% [markdown]
# ## What the features look at
#
# By ground truth: how much of a feature's attribution lies on saws beyond chance. The one that
# keeps to saws most is projected out; the control is the strongest that avoids all hazards.

# %%
for row in result.feature_table.rows:
    print(f"feature {row['feature']}: {row['on_saw']:+.3f} on saws  {row['part'] or ''}")

# %% [markdown]
# ## The same levels with each policy

# %%
for row in result.table.rows:
    if row["cause"] == "any":
        print(f"{row['policy']:<18}{row['levels']} of {NUM_LEVELS} levels failed")

# %%
svg = rlv.studies.draw_editing(result)
svg[:5]
