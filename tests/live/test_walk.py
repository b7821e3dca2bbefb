"""The walk of the README, with the command and Chromium, from a failure of a shipped agent."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.walk import HEIGHT, WIDTH, served, walk
from rlvision_jax import checkpoint
from rlvision_jax.features import find_directions
from rlvision_jax.interface import build_gallery, write_report
from rlvision_jax.studies.failures import FailedEpisode
from rlvision_jax.studies.replaying import replay

sys.path.insert(0, str(Path(__file__).parents[1] / "interface"))
from browsing import PATIENCE, chromium, expect

LEVEL = 671575875
# What the agent "coinrun" once did there: it runs into the second saw.
ACTIONS = [12, 8, 11, 3, 12, 13, 13, 9, 6, 1, 6, 6, 2, 12, 7, 3]
ACTIONS += [7, 7, 8, 7, 7, 12, 6, 13, 10, 7, 7, 5, 5, 9, 14]
LEAD = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A report of one failure."""
    agent = policy, params, config = checkpoint.load(checkpoint.shipped("coinrun"))
    frames = replay(policy, params, config, LEVEL, ACTIONS).observations[:, 0]
    directions = find_directions(policy, params, frames, "2b", num_features=4)
    failure = FailedEpisode(0, LEVEL, "saw", ACTIONS, worst_advantage=-1.0, worst_step=27)
    report = build_gallery(
        policy, params, config, [failure], directions, frames, title="walk", num_examples=4
    )
    return write_report(report, tmp_path_factory.mktemp("walk") / "report", agent=agent).parent


def number(text):
    return float(text.replace("−", "-"))


def value_now(page):
    return number(page.get_by_label("Change of the value").locator("dd").nth(1).inner_text())


def test_from_a_failure_to_its_cause_and_past_it(folder):
    values, played, feature = {}, [], ""
    with served(folder) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        for stage in walk(page, failure=0, lead=LEAD, num_steps="8 steps"):
            if stage.name == "failure":
                # The last 25 steps of the episode, which has 31.
                facts = page.locator("dl[aria-label='This step'] dd")
                expect(facts.first).to_have_text(re.compile(r"^7\s/\s31$"))
            elif stage.name == "feature":
                isolated = page.get_by_role("list", name="Legend").locator("li:hover")
                lowest = isolated.locator(".total").inner_text()
                feature = isolated.locator(".text").inner_text()
                assert number(lowest) < -0.5
            elif stage.name in ("editing", "removed"):
                values[stage.name] = value_now(page)
                lines = page.get_by_role("list", name="Features before and now")
                line = lines.get_by_role("listitem").filter(has_text=feature)
                change = line.locator(".change").inner_text().split("→")
                values[f"{stage.name} feature"] = number(change[1])
            elif stage.name == "playing":
                played.append(value_now(page))
            elif stage.name == "past":
                expect(page.get_by_text("A saw got the agent")).to_have_count(0)
    # The value rises by a good part of 10, which is what a coin is worth...
    assert values["removed"] - values["editing"] > 3
    assert values["removed feature"] - values["editing feature"] > 0.5
    # ... and the agent lives on where it had died.
    assert len(played) == 9
    assert np.mean(played) > values["editing"]
