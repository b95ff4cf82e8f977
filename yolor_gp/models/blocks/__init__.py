"""Importing this package enters every block into the registry."""

from yolor_gp.models.blocks import (  # noqa: F401
    conv,
    csp,
    dense,
    elan,
    field_csp,
    field_simple,
    implicit,
    osa,
    pool,
    repconv,
    residual,
    route,
)
