# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # What do people say of the features?
#
# Makes a page on which people rate features without knowing whose they are, and compares ratings
# with the automatic score. `NUM_FRAMES` is the one knob; `rlvision study rating` does the same on
# 4,096 frames and for several agents.

# %%
import csv
import tempfile
from pathlib import Path

import numpy as np

import rlvision_jax as rlv

NUM_FRAMES = 128

agent = rlv.checkpoint.load(rlv.checkpoint.shipped("coinrun"))
folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## The page
#
# Sixteen patches of each feature, framed by whether it raised the value there. The key, which
# raters should not see, tells whose features they are and what they scored.

# %%
settings = rlv.studies.RatingConfig(
    layer="2b", num_frames=NUM_FRAMES, frame_interval=12, num_envs=64, resamples=50
)
cells = rlv.studies.Cells(folder / "cells")
features = rlv.studies.rated_features("coinrun", *agent, settings, cells=cells)
html, key = rlv.studies.rating_page(features, seed=0)
(folder / "index.html").write_text(html, encoding="utf-8")
print("to be opened in a browser:", folder / "index.html")

# %% [markdown]
# ## Ratings
#
# The page saves a CSV. Nobody has rated here: these two raters are made up, Ada who rates as the
# score does and a little beside it, and Bo who rates anyhow.

# %%
rng = np.random.default_rng(0)
files = []
for rater, attention in (("Ada", 1.0), ("Bo", 0.0)):
    path = folder / f"ratings-{rater}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["page", "rater", "item", "rating"])
        for item, about in key["items"].items():
            opinion = attention * 10 * about["score"] + rng.uniform(0, 10 - 9 * attention)
            writer.writerow([key["page"], rater, item, int(min(opinion, 10))])
    files.append(path)

# %% [markdown]
# ## Agreement
#
# Spearman's rank correlations, with intervals over resampled features. Eight features say little.

# %%
ratings = [rating for path in files for rating in rlv.studies.read_ratings(path, key)]
agreement = rlv.studies.agreement_table(ratings, key)
print(agreement.to_csv())
