import pytest

from rlvision_jax import envs


@pytest.fixture
def make_env():
    """Makes Procgen environments on one thread and closes them after the test."""
    made = []

    def make(game="coinrun", **options):
        options = {"num_envs": 2, "num_threads": 1, "distribution_mode": "easy", **options}
        made.append(envs.make(f"procgen:{game}", **options))
        return made[-1]

    yield make
    for env in made:
        env.close()
