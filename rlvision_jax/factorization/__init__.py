"""Non-negative matrix factorization: the features of a layer."""

from rlvision_jax.factorization.nmf import INITS, NMF, fit_nmf
from rlvision_jax.factorization.signed import fit_signed, project_signed

__all__ = ["INITS", "NMF", "fit_nmf", "fit_signed", "project_signed"]
