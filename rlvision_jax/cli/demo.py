"""`rlvision demo`: the shipped agent's report, small enough for minutes on two cores."""

import dataclasses
from pathlib import Path

from rlvision_jax import checkpoint
from rlvision_jax.cli.interface import make_report
from rlvision_jax.interface import ReportConfig
from rlvision_jax.models import middle_layer

_AGENT = checkpoint.DEFAULT_AGENT
_REPORT = ReportConfig(num_trajectories=4, num_steps=256, num_frames=1024, frame_interval=16)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoCommand:
    """Plays CoinRun with the shipped agent, explains its value function, and writes a report.

    Attributes:
      out: folder of the report; an earlier report there is replaced once the new one is complete.
    """

    out: Path = Path("report")

    def run(self) -> int:
        """Builds and writes the report; prints its path last."""
        policy, _, config = checkpoint.load(checkpoint.shipped(_AGENT))
        print(
            f'agent "{_AGENT}": {policy.name} network, {config["steps"]:,} steps of {config["env"]}'
            f" {config['env_options']}"
        )
        print(
            f"attributing its value to layer {middle_layer(policy)}, in {_REPORT.num_features} "
            "features; open the page below in a browser, or edit its frames by: "
            f"rlvision view {self.out}",
            flush=True,
        )
        print(make_report(_AGENT, self.out, _REPORT))
        return 0
