"""Reports small enough for tests; of one shape, so that their programs are compiled once."""

from rlvision_jax.interface import ReportConfig

CONFIG = ReportConfig(
    layers=("conv2", "pixels"),
    scores=("value", "right|right+up"),
    num_features=3,
    num_trajectories=2,
    num_steps=8,
    num_frames=12,
    frame_interval=2,
    num_envs=4,
    num_examples=4,
    num_position_examples=6,
    num_integration_steps=50,
    rule="midpoint",
)
AGENT = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "easy"}}
