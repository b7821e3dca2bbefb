"""Training runs that are stopped in different ways; run as a script by the tests.

Makes one folder for each way, every one with the same run in it, and prints a JSON object:
folder -> exit status. An interrupted run was to be longer and had finished 2 updates; one that
died while saving was saving its second update.
"""

import dataclasses
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "checkpoint"))

from dying import finish, kill_at_event, start  # noqa: E402

from rlvision_jax.training import PPOConfig, TrainConfig, train  # noqa: E402
from rlvision_jax.training.rollout import Collector  # noqa: E402

UPDATE = 128
# One while Orbax writes the training state, one while the agent is written.
KILLING_EVENTS = (20, 40)
CONFIG = TrainConfig(
    env="procgen:starpilot",
    env_options={"distribution_mode": "easy", "num_levels": 3, "num_threads": 1},
    model="nature",
    seed=3,
    ppo=PPOConfig(
        num_envs=4, num_steps=32, num_epochs=2, num_minibatches=2, total_steps=4 * UPDATE
    ),
    checkpoint_minutes=0.0,
    tensorboard=False,
)


def until_signal(folder):
    """Waits for a signal in the middle of the third rollout."""
    collect = Collector.collect

    def waiting(*arguments):
        if (folder / "state" / str(2 * UPDATE)).exists():
            folder.with_suffix(".ready").touch()
            time.sleep(120)
        return collect(*arguments)

    Collector.collect = waiting
    longer = dataclasses.replace(CONFIG.ppo, total_steps=100 * UPDATE)
    result = train(dataclasses.replace(CONFIG, ppo=longer), folder)
    assert not result.finished
    assert result.step == 2 * UPDATE


def killed_in_save(folder, event):
    """Dies at a file operation under the folder in or after the second save."""

    def arm(progress):
        if progress.step == 2 * UPDATE:
            kill_at_event(event, folder)

    train(CONFIG, folder, on_update=arm)


def without_space(folder):
    """Runs out of space in the second save."""

    def fill(progress):
        if progress.step == 2 * UPDATE:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))

    try:
        train(CONFIG, folder, on_update=fill)
    except OSError as error:
        folder.with_suffix(".error").write_text(str(error))


def signalled(folder, number):
    """Runs `until_signal` in a child and sends it the signal; its exit status."""
    pid = start(lambda: until_signal(folder))
    while not folder.with_suffix(".ready").exists() and os.waitpid(pid, os.WNOHANG) == (0, 0):
        time.sleep(0.05)
    os.kill(pid, number)
    return finish(pid)


def main():
    folder = Path(sys.argv[1])
    # The first child fills the compilation cache for the others, which run side by side.
    statuses = {"SIGINT": signalled(folder / "SIGINT", signal.SIGINT)}
    children = {"full": start(lambda: without_space(folder / "full"))}
    for event in KILLING_EVENTS:
        name = f"killed-{event}"
        children[name] = start(lambda: killed_in_save(folder / name, event))  # noqa: B023
    statuses["SIGTERM"] = signalled(folder / "SIGTERM", signal.SIGTERM)
    print(json.dumps(statuses | {name: finish(pid) for name, pid in children.items()}))


if __name__ == "__main__":
    main()
