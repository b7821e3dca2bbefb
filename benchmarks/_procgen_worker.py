"""One contestant of `benchmarks.procgen`, in a process and a Python of its own.

Imports nothing but numpy at the top: the stock wrapper's Python has neither JAX nor this package.
"""

import hashlib
import json
import sys
import time

import numpy as np

WARM_UP_STEPS = 50


def stock_stepper(case, *, with_info):
    from procgen import ProcgenGym3Env

    env = ProcgenGym3Env(
        num=case["num_envs"],
        env_name=case["game"],
        distribution_mode=case["distribution_mode"],
        num_threads=case["num_threads"],
        rand_seed=case["seed"],
    )

    def step(actions):
        env.act(actions)
        reward, observation, _ = env.observe()
        if with_info:
            env.get_info()
        return observation["rgb"], reward

    return step


def our_stepper(case, *, copy):
    from rlvision_jax import envs

    env = envs.make(
        f"procgen:{case['game']}", **{k: v for k, v in case.items() if k != "game"}, copy=copy
    )

    def step(actions):
        moment = env.step(actions)
        return moment.observation, moment.reward

    return step


CONTESTANTS = {
    "stock": lambda case: stock_stepper(case, with_info=False),
    "stock_with_info": lambda case: stock_stepper(case, with_info=True),
    "ours": lambda case: our_stepper(case, copy=True),
    "ours_without_copies": lambda case: our_stepper(case, copy=False),
}


def clocks():
    """Seconds of the wall, of all threads, and of the thread that calls the environment."""
    return {
        "wall": time.perf_counter(),
        "all_threads": time.process_time(),
        "calling_thread": time.thread_time(),
    }


def main(contestant, case_json, actions_path):
    """Says what the first steps returned; then, for each line read, times that many steps."""
    step = CONTESTANTS[contestant](json.loads(case_json))
    actions = iter(np.load(actions_path))
    digest = hashlib.sha256()
    for _ in range(WARM_UP_STEPS):
        for array in step(next(actions)):
            digest.update(array.tobytes())
    print(json.dumps({"sha256": digest.hexdigest()}), flush=True)
    for line in sys.stdin:
        rows = [next(actions) for _ in range(int(line))]
        before = clocks()
        for row in rows:
            step(row)
        print(json.dumps({k: v - before[k] for k, v in clocks().items()}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
