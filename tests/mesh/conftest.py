"""Meshes for the tests of a folder: real processes on loopback, started once a module."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from cli.mesh import LocalMesh
from tests.support.scripted_mesh import scripted_mesh


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mesh() -> AsyncIterator[LocalMesh]:
    """A mesh with a scripted engine and model."""
    async with scripted_mesh() as running:
        yield running
