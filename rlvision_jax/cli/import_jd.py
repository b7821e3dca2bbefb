"""`rlvision import-jd`: an agent of the original code becomes one of ours."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImportJdCommand:
    """Converts a .jd file of openai/understanding-rl-vision, running nothing in it.

    The folder then serves every command that takes an agent.

    Attributes:
      file: the .jd file.
      folder: folder of the agent to write; an agent there is replaced.
    """

    file: Annotated[Path, tyro.conf.Positional]
    folder: Annotated[Path, tyro.conf.Positional]

    def run(self) -> int:
        """Converts, saves, and prints what it found and the path of the agent."""
        policy, params, config = checkpoint.load_jd(self.file)
        checkpoint.save(self.folder, policy, params, config)
        print(f'network "{policy.name}" with {policy.num_actions} actions')
        trained_in = config["imported_from"]["args"].get("env_name", "another environment")
        if "env" in config:
            print(f"plays {config['env']}")
        else:
            print(
                f"trained in {trained_in}, which is none of ours: it can be attributed, not played"
            )
        print(self.folder.resolve())
        return 0
