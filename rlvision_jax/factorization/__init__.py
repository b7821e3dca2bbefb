"""Non-negative matrix factorization: the features of a layer."""

from rlvision_jax.factorization.nmf import NMF, SUBSET_SAMPLES, fit_nmf
from rlvision_jax.factorization.nmf_init import INITS
from rlvision_jax.factorization.restarts import fit_restarts
from rlvision_jax.factorization.signed import fit_signed, project_signed
from rlvision_jax.factorization.stream import fit_nmf_stream

__all__ = [
    "INITS",
    "NMF",
    "SUBSET_SAMPLES",
    "fit_nmf",
    "fit_nmf_stream",
    "fit_restarts",
    "fit_signed",
    "project_signed",
]
