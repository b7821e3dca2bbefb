"""Writes procgen_stock.json: what Procgen's own Python wrapper returns, as digests.

Run in an environment of its own, because the wrapper needs numpy below 2:
`pip install 'numpy<2' gym3 gym && pip install --no-deps procgen-mirror==0.10.7`, then
`python make_procgen_stock.py`.
"""

import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np

NUM_ENVS = 3
NUM_STEPS = 120
FORCED_RESET_STEP = 50
GAMES = [
    "bigfish",
    "bossfight",
    "caveflyer",
    "chaser",
    "climber",
    "coinrun",
    "dodgeball",
    "fruitbot",
    "heist",
    "jumper",
    "leaper",
    "maze",
    "miner",
    "ninja",
    "plunder",
    "starpilot",
]
CASES = [
    *({"env_name": game, "distribution_mode": mode} for game in GAMES for mode in ("easy", "hard")),
    {"env_name": "chaser", "distribution_mode": "extreme"},
    {"env_name": "maze", "distribution_mode": "memory"},
    {"env_name": "coinrun", "distribution_mode": "exploration"},
    {"env_name": "coinrun", "num_levels": 2, "start_level": 40, "rand_seed": 9},
    {"env_name": "coinrun", "use_backgrounds": False, "paint_vel_info": True},
    {"env_name": "coinrun", "restrict_themes": True, "use_monochrome_assets": True},
    {"env_name": "coinrun", "use_generated_assets": True},
    {"env_name": "coinrun", "center_agent": False, "debug_mode": 14},
    {"env_name": "leaper", "use_sequential_levels": True, "distribution_mode": "easy"},
]


def action(step: int, env: int) -> int:
    if step == FORCED_RESET_STEP:
        return -1
    # Held for a few steps, so that agents get somewhere.
    return ((step // 4) * 2654435761 + env * 40503 >> 7) % 15


ACTIONS = [[action(step, env) for env in range(NUM_ENVS)] for step in range(NUM_STEPS)]


def digest(arrays: list[np.ndarray]) -> str:
    return hashlib.sha256(np.ascontiguousarray(arrays).tobytes()).hexdigest()


def rollout(options: dict) -> dict[str, str]:
    # Here, not above: the checks import this file where the wrapper cannot run.
    from procgen import ProcgenGym3Env

    env = ProcgenGym3Env(num=NUM_ENVS, **{"rand_seed": 5, **options})
    moments = []
    for actions in [*ACTIONS, None]:
        reward, observation, first = env.observe()
        info = env.get_info()
        moment = {key: np.array([i[key] for i in info]) for key in info[0]}
        moment.update(reward=reward, observation=observation["rgb"], first=first)
        ended = moment["first"] | (moment["prev_level_complete"] == 1)
        moment["prev_level_seed"] = np.where(ended, moment["prev_level_seed"], 0)
        moments.append(moment)
        if actions is not None:
            env.act(np.array(actions, np.int32))
    types = {"reward": np.float32, "observation": np.uint8, "first": np.uint8}
    types.update(level_seed=np.int32, prev_level_seed=np.int32, prev_level_complete=np.uint8)
    return {
        key: digest([moment[key].astype(type_) for moment in moments])
        for key, type_ in types.items()
    }


def main():
    record = {
        "procgen": importlib.metadata.version("procgen-mirror"),
        "gym3": importlib.metadata.version("gym3"),
        "actions": ACTIONS,
        "cases": [{"options": options, "sha256": rollout(options)} for options in CASES],
    }
    path = Path(__file__).parent / "procgen_stock.json"
    path.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
