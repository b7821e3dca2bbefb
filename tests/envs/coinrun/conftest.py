import functools
import sys
from pathlib import Path

import pytest

from rlvision_jax.envs.coinrun.assets import load_assets

# The helpers beside the tests.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def load(tmp_path_factory):
    """Loads exact assets once for each set of options."""
    cache = tmp_path_factory.mktemp("assets")
    return functools.cache(lambda config: load_assets(config, cache=cache))
