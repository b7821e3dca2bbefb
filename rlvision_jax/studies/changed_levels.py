"""Which levels a study plays: CoinRun's own, or changed ones."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from rlvision_jax._checks import check_at_least, quoted
from rlvision_jax.envs.coinrun.config import CoinPlace, CoinRunConfig, Themes

CHANGEABLE: Final = ("coinrun", "procgen:coinrun")
"""Environments whose levels can be changed; both are then played on the device."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelChanges:
    """How levels are changed before they are played.

    The same seed changes the same level in the same way, whoever plays it.

    Attributes:
      coin: where CoinRun puts it, at the end of the level, or moved to a random place on the way.
      themes: the level's own ground and background, or both drawn at random.
      change_seed: of what is drawn.

    Example:
      >>> agent_config = {"env": "procgen:coinrun", "env_options": {"num_levels": 200}}
      >>> LevelChanges(coin="moved").apply(agent_config)["env_options"]
      {'num_levels': 200, 'coin': 'moved', 'themes': 'own', 'change_seed': 0}
    """

    coin: CoinPlace = "end"
    themes: Themes = "own"
    change_seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("change_seed", self.change_seed, 0)
        CoinRunConfig(**dataclasses.asdict(self))  # Refuses what the game would refuse.

    def apply(self, agent_config: Mapping[str, Any]) -> dict[str, Any]:
        """An agent's config in whose environment levels are changed; as it is without changes.

        Args:
          agent_config: as `checkpoint.load` returned it.

        Raises:
          ValueError: if levels are changed and the environment is not CoinRun.
        """
        if (self.coin, self.themes) == ("end", "own"):
            return dict(agent_config)
        if agent_config.get("env") not in CHANGEABLE:
            raise ValueError(
                f"levels can be changed of {quoted(CHANGEABLE)}; this agent's environment is "
                f'"{agent_config.get("env")}". Leave out coin and themes'
            )
        options = {**agent_config.get("env_options", {}), **dataclasses.asdict(self)}
        return {**agent_config, "env": "coinrun", "env_options": options}
