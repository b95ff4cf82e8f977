"""Importing this package enters every block into the registry."""

from yolor_gp.models.blocks import (  # noqa: F401
    borrowed,
    conv,
    csp,
    dense,
    elan,
    implicit,
    official_csp,
    official_simple,
    osa,
    pathways,
    pool,
    repconv,
    residual,
    route,
)
