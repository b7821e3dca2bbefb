import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def golden():
    """Loads one file of `tests/golden` (outputs of the original code; see its README)."""
    import pathlib

    import numpy as np

    folder = pathlib.Path(__file__).parent / "golden"
    return lambda name: dict(np.load(folder / name))
