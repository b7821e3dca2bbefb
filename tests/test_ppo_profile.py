import json
import sys

import pytest

from benchmarks import _record, ppo_profile


@pytest.mark.slow
def test_profile_times_every_part_and_traces_the_whole_step(tmp_path, monkeypatch):
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    options = ["--model", "nature", "--num-envs", "4", "--num-steps", "4"]
    options += ["--minibatches", "2", "--epochs", "1"]
    options += ["--assets", "small", "--repetitions", "1", "--matrix", "64", "--dtype", "bfloat16"]
    monkeypatch.setattr(sys, "argv", ["ppo_profile", *options, "--trace", str(tmp_path / "trace")])
    ppo_profile.main()
    rows = json.loads((tmp_path / "ppo_profile.json").read_text())["rows"]
    assert rows[-1]["part"] == "whole step"
    counted = [row for row in rows if "operations" in row]
    # Forward and backward passes cost three times a forward pass, but for the gradient by the
    # frames, which nobody takes: in the first layer, a quarter of nature's operations.
    per_frame = {row["part"]: row["operations"] for row in counted}
    ratio = (per_frame["gradient of a minibatch"] / 8) / (per_frame["policy in rollout"] / 4)
    assert 2.2 < ratio < 3.2
    assert all(row["seconds_per_iteration"] > 0.0 for row in rows)
    assert any((tmp_path / "trace").rglob("*.xplane.pb"))
