"""Start a session-store pod: `python -m session_store`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from memory.entra import EntraCredentials
from memory.hotstore import HotStore
from memory.subscriptions import Subscriptions
from memory.tls import RedisTLS, RedisTLSRefused
from meshkit.clock import SystemClock
from meshkit.credentials import process_credential_async
from meshkit.health import NotReady
from meshkit.server import MeshServer
from meshkit.service import run_service
from meshkit.startup import StartupError
from meshkit.tasks import task_group
from session_store.archive import SessionArchive
from session_store.archive_sqlite import SqliteArchive
from session_store.archiver import Archiver
from session_store.claims import ToolClaims
from session_store.erasure import Erasures
from session_store.index import SessionIndex
from session_store.policy_counters import PolicyCounters
from session_store.quotas import Quotas
from session_store.readiness import check_server, until_answering
from session_store.runner import ScriptRunner
from session_store.servicer_claims import ClaimServicer
from session_store.servicer_counters import PolicyCounterServicer
from session_store.servicer_erasure import ErasureServicer
from session_store.servicer_journal import JournalServicer
from session_store.servicer_ownership import OwnershipServicer
from session_store.servicer_quotas import QuotaServicer
from session_store.servicer_sessions import SessionServicer
from session_store.settings import SessionStoreSettings
from session_store.store import SessionStore
from session_store.timed_redis import store_kind
from session_store.watches import SessionWatches
from voicemesh.session.v1.claim_pb2_grpc import (
    add_QuotaServiceServicer_to_server,
    add_ToolClaimServiceServicer_to_server,
)
from voicemesh.session.v1.erasure_pb2_grpc import add_ErasureServiceServicer_to_server
from voicemesh.session.v1.journal_pb2_grpc import add_JournalServiceServicer_to_server
from voicemesh.session.v1.ownership_pb2_grpc import add_CallOwnershipServiceServicer_to_server
from voicemesh.session.v1.policy_counter_pb2_grpc import add_PolicyCounterServiceServicer_to_server
from voicemesh.session.v1.session_store_pb2_grpc import add_SessionStoreServiceServicer_to_server

SERVICES = (
    "voicemesh.session.v1.SessionStoreService",
    "voicemesh.session.v1.JournalService",
    "voicemesh.session.v1.CallOwnershipService",
    "voicemesh.session.v1.ToolClaimService",
    "voicemesh.session.v1.QuotaService",
    "voicemesh.session.v1.PolicyCounterService",
    "voicemesh.session.v1.ErasureService",
)


async def serve(settings: SessionStoreSettings) -> None:
    """Serve at once, be ready when Redis answers, until drained."""
    async with (
        entra_credentials(settings) as credentials,
        open_hot_store(settings, credentials) as hot,
        Subscriptions(hot) as subscriptions,
        archived(make_archive(settings)) as archive,
        make_server(settings, hot, subscriptions, archive) as server,
        task_group() as tasks,
    ):
        archiver = make_archiver(settings, hot, archive)
        background = tasks.create_task(_work(server, hot, archiver))
        await server.until_drained()
        background.cancel()


@asynccontextmanager
async def entra_credentials(
    settings: SessionStoreSettings,
) -> AsyncIterator[EntraCredentials | None]:
    """The identity that Redis is shown, if the settings say so, closed at the end.

    Raises StartupError where azure-identity is not installed, or tokens could be read on the way.
    """
    if not settings.redis_entra:
        yield None
        return
    where = urlsplit(settings.redis_url)
    if where.scheme == "redis" and where.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise StartupError(
            "redis_entra would send tokens to Redis in the clear; write rediss:// in"
            " VOICEMESH_REDIS_URL."
        )
    try:
        credential = process_credential_async()
    except ModuleNotFoundError as error:
        raise StartupError(
            f"redis_entra is set, but {error.name} is not installed: install voicemesh[cosmos]"
        ) from None
    async with credential, EntraCredentials(credential) as credentials:
        yield credentials


def open_hot_store(
    settings: SessionStoreSettings, credentials: EntraCredentials | None = None
) -> HotStore:
    """The connection to Redis that the settings name. Raises StartupError."""
    if not settings.redis_url:
        raise StartupError(
            "no Redis is named; set VOICEMESH_REDIS_URL (redis://host:port/0), or start the mesh"
            " with `voicemesh up`, which brings a server of its own."
        )
    try:
        return store_kind()(
            settings.redis_url,
            timeout=settings.store_seconds,
            max_connections=settings.redis_max_connections,
            durability=settings.store_durability,
            cluster=settings.redis_cluster,
            credentials=credentials,
            tls=RedisTLS.told(settings.model_dump()),
        )
    except RedisTLSRefused as error:
        raise StartupError(str(error)) from None
    except ValueError as error:
        raise StartupError(
            f"VOICEMESH_REDIS_URL is not a Redis URL: {error}; write redis://host:port/0 or"
            " rediss://host:port/0."
        ) from None


def make_archive(settings: SessionStoreSettings) -> SessionArchive | None:
    """The archive that the settings name, if they name one. Raises StartupError."""
    retention = settings.archive_retention_days * 86_400
    if settings.cosmos_endpoint and settings.archive_path:
        raise StartupError(
            "both VOICEMESH_ARCHIVE_PATH and VOICEMESH_COSMOS_ENDPOINT name an archive; name one."
        )
    if settings.cosmos_endpoint:
        return _make_cosmos_archive(settings, retention)
    if settings.archive_path:
        return SqliteArchive(Path(settings.archive_path), retention_seconds=retention)
    return None


def _make_cosmos_archive(settings: SessionStoreSettings, retention: float) -> SessionArchive:
    """The client library is imported where it is wanted: it takes half a second."""
    try:
        from meshkit.cosmos import CosmosContainer, CosmosPlace
        from session_store.archive_cosmos import CosmosArchive
    except ModuleNotFoundError as error:
        raise StartupError(
            f"cosmos_endpoint is set, but {error.name} is not installed: install voicemesh[cosmos]"
        ) from None
    place = CosmosPlace(
        settings.cosmos_endpoint,
        settings.cosmos_database,
        settings.archive_container,
        settings.cosmos_key.get_secret_value(),
    )
    try:
        container = CosmosContainer(place, seconds=settings.cosmos_seconds)
    except ValueError as error:
        raise StartupError(f"VOICEMESH_COSMOS_ENDPOINT: {error}.") from None
    return CosmosArchive(container, retention_seconds=retention)


def make_archiver(
    settings: SessionStoreSettings, hot: HotStore, archive: SessionArchive | None
) -> Archiver:
    """What moves sessions to the archive."""
    return Archiver(
        ScriptRunner(hot),
        SessionIndex(hot),
        archive,
        linger=settings.archive_linger_seconds,
        redacted=settings.archive_redacted,
    )


@asynccontextmanager
async def archived(archive: SessionArchive | None) -> AsyncIterator[SessionArchive | None]:
    """The archive, closed at the end."""
    try:
        yield archive
    finally:
        if archive is not None:
            await archive.aclose()


def make_server(
    settings: SessionStoreSettings,
    hot: HotStore,
    subscriptions: Subscriptions,
    archive: SessionArchive | None,
) -> MeshServer:
    """The server with its services, not yet listening."""
    server = MeshServer("session-store", settings, port=settings.grpc_port)
    runner = ScriptRunner(hot)
    store = SessionStore(
        runner,
        SessionIndex(hot),
        journal_max_events=settings.journal_max_events,
        keep=settings.archive_keep_seconds if settings.archives else 0.0,
        linger=settings.archive_linger_seconds,
    )
    watches = SessionWatches(store, subscriptions, timeout=settings.store_seconds)
    claims, quotas = ToolClaims(runner, watches), Quotas(hot, lambda: settings.now("quotas"))
    add_SessionStoreServiceServicer_to_server(SessionServicer(store, settings), server.grpc)
    add_JournalServiceServicer_to_server(JournalServicer(store, watches, settings), server.grpc)
    add_CallOwnershipServiceServicer_to_server(OwnershipServicer(store, settings), server.grpc)
    add_ToolClaimServiceServicer_to_server(ClaimServicer(claims, settings), server.grpc)
    add_QuotaServiceServicer_to_server(QuotaServicer(quotas, settings), server.grpc)
    erasures = Erasures(
        runner,
        SessionIndex(hot),
        archive,
        key=settings.erasure_key.get_secret_value().encode(),
        clock=SystemClock(),
    )
    add_ErasureServiceServicer_to_server(ErasureServicer(erasures), server.grpc)
    counters = PolicyCounterServicer(PolicyCounters(hot), settings)
    add_PolicyCounterServiceServicer_to_server(counters, server.grpc)
    server.serves(*SERVICES)
    server.on_drain(watches.drain)
    return server


async def _work(server: MeshServer, hot: HotStore, archiver: Archiver) -> None:
    server.not_ready(NotReady.WAITING_FOR_REDIS)
    await until_answering(hot)
    await check_server(hot)
    await server.ready()
    await archiver.run()


if __name__ == "__main__":
    run_service("session-store", SessionStoreSettings, serve)
