import jax
import pytest

from rlvision_jax import models
from rlvision_jax.training import eigen
from rlvision_jax.training.eigen import eigen_options

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="a choice of the CPU's compiler"
)


@pytest.fixture(autouse=True)
def asked_anew():
    eigen_options.cache_clear()
    yield
    eigen_options.cache_clear()


def _compiled(options):
    policy = models.make("nature")
    params = policy.init(jax.random.key(0))
    frames = jax.ShapeDtypeStruct((32, 64, 64, 3), "uint8")
    return jax.jit(policy.apply).lower(params, frames).compile(options).as_text()


def test_ynnpack_is_used_unless_told_otherwise():
    assert "__ynn" in _compiled(None)
    assert "__ynn" not in _compiled(eigen_options())


def test_a_version_of_xla_without_the_option_is_given_none(monkeypatch):
    monkeypatch.setattr(eigen, "_OPTIONS", {"xla_no_such_option": "1"})
    assert eigen_options() is None
