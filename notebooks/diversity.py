# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Do interpretable features need diverse levels?
#
# Trains agents on few and on many levels, evaluates them on levels that they know and levels that
# they do not, scores their features, and sets both against the number of levels, with networks
# that were never trained beside them. `TIMESTEPS` is the knob: as it stands the agents have learned
# nothing, and all that can be seen is how the study goes. docs/studies/diversity.md says what was
# found at which size; `rlvision study diversity` computes it, on several machines if need be.

# %%
import tempfile
from pathlib import Path

import rlvision_jax as rlv

LEVELS = "2,1000"
TIMESTEPS = 64

settings = rlv.studies.DiversityConfig(
    levels=LEVELS,
    seeds=1,
    timesteps=TIMESTEPS,
    distribution_mode="easy",
    model="nature",
    ppo=rlv.training.PPOConfig(num_envs=4, num_steps=8, num_epochs=1, num_minibatches=1),
    evaluation_levels=4,
    evaluation_envs=4,
    features=rlv.studies.FeaturesConfig(
        layer="conv3", num_features=2, num_frames=12, frame_interval=3, num_envs=4, resamples=20
    ),
)

# %% [markdown]
# ## Train, evaluate, score
#
# Every agent is a cell of the folder, trained on its own and saved every few minutes: stopped, the
# same call goes on. Name a folder of your own to keep it.

# %%
folder = Path(tempfile.mkdtemp())
result = rlv.studies.study_diversity(settings, folder)
for agent in result.table.rows:
    own = "none" if agent["train"] is None else f"{agent['train']:.0%}"
    interval = f"[{agent['score_low']:.2f}, {agent['score_high']:.2f}]"
    print(
        f"{agent['levels']:>5} levels, of which it completes {own}, and {agent['test']:.0%} of "
        f"unseen ones; features score {agent['score']:.2f} {interval}"
    )

# %% [markdown]
# ## Both directions of the hypothesis
#
# *If* levels are diverse, features should be more interpretable than without training; *only if*
# they are: with few levels, they should not.

# %%
for row in result.hypothesis_table.rows:
    print(f"{row['statement']}: {row['estimate']}, interval [{row['low']}, {row['high']}]")

# %% [markdown]
# ## The figure
#
# The article's two panels, its own numbers in grey.

# %%
svg = rlv.studies.draw_diversity(result)
svg[:5]
