"""The folder of a training run: what lies where, and which run it holds. (Host only: files.)"""

import json
from pathlib import Path
from typing import Any

from rlvision_jax.checkpoint import CheckpointMismatchError, replace_file
from rlvision_jax.training.config import TrainConfig

AGENT_FOLDER = "agent"
STATE_FOLDER = "state"
CONFIG_FILE = "config.json"
POPULATION_FILE = "population.json"

# What runs of earlier versions were, without their config saying so.
_SETTINGS_ONCE_MISSING = {"activation_dtype": "float32"}


def check_folder(folder: Path, config: TrainConfig) -> bool:
    """Checks, without writing, that a run may be trained in a folder.

    Args:
      folder: of the run; may be missing.
      config: the run.

    Returns:
      Whether the folder holds this run already.

    Raises:
      CheckpointMismatchError: if it holds another run, or files of something else.
    """
    path = folder / CONFIG_FILE
    if not path.exists():
        if folder.exists() and not folder.is_dir():
            raise CheckpointMismatchError(f"{folder} is a file; expected a folder to train in")
        if folder.exists() and any(folder.iterdir()):
            raise CheckpointMismatchError(
                f"{folder} holds files but no training run; choose another folder"
            )
        return False
    try:
        held = json.loads(path.read_text())
        theirs = _identity({**_SETTINGS_ONCE_MISSING, **held})
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointMismatchError(
            f"{path} is no run's config: {error!r}; choose another folder"
        ) from None
    ours = _identity(_as_stored(config))
    different = [name for name in ours if theirs.get(name) != ours[name]]
    if different:
        raise CheckpointMismatchError(
            f"{folder} holds a run with another {', '.join(different)}; choose another folder "
            "or the run's own settings"
        )
    return True


def write_config(folder: Path, config: TrainConfig) -> None:
    """Makes the folder that of the run."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / CONFIG_FILE, (json.dumps(config.to_json(), indent=2) + "\n").encode())


def _as_stored(config: TrainConfig) -> dict[str, Any]:
    return json.loads(json.dumps(config.to_json()))


def _identity(values: dict[str, Any]) -> dict[str, Any]:
    """The settings that make two runs the same run, flat."""
    ppo = {f"ppo.{name}": value for name, value in values["ppo"].items()}
    changeable = ["ppo", "checkpoint_minutes", "tensorboard"]
    if not values["ppo"]["anneal_learning_rate"]:
        changeable.append("ppo.total_steps")
    return {name: value for name, value in {**values, **ppo}.items() if name not in changeable}
