"""What `voicemesh doctor --deployment` looks at: the settings at hand, and the services that they name.

Everything that is asked has a deadline, and an answer that does not come is a finding.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version as installed_version
from typing import Any

import aiohttp
from pydantic import SecretStr

from cli import doctor_checks as checks
from cli.config import settings_class
from cli.diagnostics import GATEWAY, Process, Refused, Unanswered
from cli.doctor_checks import Finding, fail, ok, warn
from cli.doctor_pods import (
    ASK_SECONDS,
    SPEECH_POOL,
    Pods,
    Told,
    ask,
    caller_identity,
    of_status,
)
from cli.identity import Identity
from memory.entra import EntraCredentials
from memory.hotstore import HotStore
from memory.tls import RedisTLS, RedisTLSRefused
from meshkit.appconfig import AppConfigError
from meshkit.call_graph import SERVICES
from meshkit.configuration import provider_of
from meshkit.credentials import BearerTokens, TokenUnavailable, process_credential_async
from meshkit.errors import MeshError
from meshkit.remote import accept, of_service
from meshkit.settings import MeshSettings, SettingsError, load_settings
from meshkit.startup import StartupError
from meshkit.tls import CertificateRefused, Files, read_bundle

PODS = (
    Pods(SPEECH_POOL, "gateway", "speech_pool_target"),
    Pods("orchestrator", "gateway", "orchestrator_target"),
    Pods("session-store", "gateway", "session_store_target"),
    Pods("tool-executor", "orchestrator", "tool_executor_target"),
)
KINDS = ("recognizer", "synthesizer")

Loaded = dict[str, MeshSettings]


async def deployment(
    control_url: str, clock_url: str, operator: Identity | None = None, control_key: str = ""
) -> list[Finding]:
    """The services that the settings read here name, and what those settings lack."""
    loaded, found = await load()
    found += judge(loaded, datetime.now(UTC))
    asked = [gateway(control_url, control_key), *_asking(loaded)]
    if clock_url:
        asked.append(clock(clock_url))
    identity = operator or own_identity(loaded)
    pods = [ask(p, loaded[p.caller], identity) for p in PODS if p.caller in loaded]
    answers, told = await asyncio.gather(asyncio.gather(*asked), asyncio.gather(*pods))
    found += [finding for answer in answers for finding in answer]
    each = [pod for service in told for pod in service]
    found += [finding for pod in each for finding in pod.findings]
    return [*found, *quota_rooms(loaded, each)]


async def load() -> tuple[Loaded, list[Finding]]:
    """The settings of each service as it would read them here, and of which there are none."""
    loaded = Loaded()
    try:
        said, found = await _said_remotely()
    except SettingsError as error:
        return {}, [fail("settings", str(error), "Mend the setting; it is every service's.")]
    for service in SERVICES:
        try:
            accepted = accept(settings_class(service), of_service(said, service), {})
        except SettingsError as error:
            found.append(fail(f"{service} settings", str(error), "It would not start with these."))
        else:
            loaded[service] = accepted.settings
            found += [
                warn(f"{service} settings", f"App Configuration's {name} is refused", str(why))
                for name, why in accepted.refused.items()
            ]
    return loaded, found


async def _said_remotely() -> tuple[Mapping[str, Any], list[Finding]]:
    """What App Configuration says, and whether it answers. Raises SettingsError."""
    base = load_settings(MeshSettings, {})
    if not base.appconfig_endpoint.get_secret_value():
        return {}, []
    async with provider_of(base) as provider:
        try:
            said = await provider.get_all_settings()
        except AppConfigError as error:
            judged = fail if base.appconfig_required else warn
            advice = "Mend the address, the network or the identity; see what the line says."
            return {}, [judged("app configuration", str(error), advice)]
    return said, [ok("app configuration", f"answers, {len(said)} keys of voicemesh")]


def judge(loaded: Loaded, now: datetime) -> list[Finding]:
    """What can be told by the settings alone; certificates are read from their files."""
    found = list[Finding]()
    for service, settings in loaded.items():
        found += checks.credentials(service, plain(settings))
    found += certificates(loaded, now)
    if "speech-pool" in loaded and "session-store" in loaded:
        mine, known = plain(loaded["speech-pool"]), plain(loaded["session-store"])["quotas"]
        used = {name: mine[name] for name in ("recognizer_quota", "synthesizer_quota")}
        found += checks.quota_names(used, list(known))
    return found


def plain(settings: MeshSettings) -> dict[str, Any]:
    """The settings by name, secrets as the text that they are. Not to be shown."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in ((name, getattr(settings, name)) for name in type(settings).model_fields)
    }


def certificates(loaded: Loaded, now: datetime) -> list[Finding]:
    """Those that the settings name. In a pod all settings name that pod's, which is one service's."""
    held: dict[Files, list[str]] = {}
    for service, settings in loaded.items():
        if settings.tls_certificate:
            files = Files(settings.tls_certificate, settings.tls_key, settings.tls_ca)
            held.setdefault(files, []).append(service)
    return [_certificate(files, services, now) for files, services in held.items()]


def _certificate(files: Files, services: Sequence[str], now: datetime) -> Finding:
    """Files, as those of whichever of these services they are."""
    refused = ""
    for service in services:
        try:
            return checks.certificate(service, read_bundle(files, service, now).not_after, now)
        except CertificateRefused as error:
            refused = refused or str(error)
    return fail(f"{services[0]} certificate", refused, "Issue it anew.")


def own_identity(loaded: Loaded) -> Identity | None:
    """The certificate at hand, whichever service's it is; None: there is none that can serve."""
    for service, settings in loaded.items():
        with suppress(StartupError):
            if identity := caller_identity(service, settings):
                return identity
    return None


def quota_rooms(loaded: Loaded, pods: Iterable[Told]) -> list[Finding]:
    """Each limit of the fleet against what the pools of all pods may open."""
    if SPEECH_POOL not in loaded or "session-store" not in loaded:
        return []
    most = Counter[str]()
    for pod in pods:
        most.update(pod.most)
    mine, limits = plain(loaded[SPEECH_POOL]), plain(loaded["session-store"])["quotas"]
    return [
        checks.quota_room(f"quotas/{name}", limits[name].limit, most[kind], kind)
        for kind in KINDS
        if (name := mine[f"{kind}_quota"].removeprefix("quotas/")) in limits
        and limits[name].window_seconds is None
        and most[kind]
    ]


def _asking(loaded: Loaded) -> list[Any]:
    asked: list[Any] = []
    if "orchestrator" in loaded:
        asked.append(model(plain(loaded["orchestrator"])))
    if "tool-executor" in loaded:
        asked.append(embeddings(plain(loaded["tool-executor"])))
    if "session-store" in loaded:
        asked.append(store(plain(loaded["session-store"])))
    return asked


async def model(settings: Mapping[str, Any]) -> list[Finding]:
    """The model's endpoint, asked for its list of models with the key that the settings hold."""
    url, headers = _models_of(settings)
    try:
        if not headers.get("api-key", "unasked"):
            headers = {"Authorization": f"Bearer {await _own_token()}"}
        status, _, _ = await _get(url, headers)
    except (ImportError, TokenUnavailable) as error:
        advice = "Federate the service account of the pod, or set AZURE_OPENAI_API_KEY."
        return [fail("model endpoint", f"{url}: {error}", advice)]
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = f"{url}: {str(error) or 'no answer in time'}"
        advice = (
            "Start it, or set VOICEMESH_MODEL_BASE_URL to where it is. Where only the orchestrator"
            " may reach it, run the doctor beside that."
        )
        return [warn("model endpoint", why, advice)]
    return [checks.model_endpoint("model endpoint", url, status)]


async def embeddings(settings: Mapping[str, Any]) -> list[Finding]:
    """The embeddings' endpoint, asked likewise."""
    check, url = "embeddings endpoint", f"{settings['embeddings_base_url'].rstrip('/')}/models"
    key = settings["embeddings_api_key"]
    try:
        status, _, _ = await _get(url, {"Authorization": f"Bearer {key}"} if key else {})
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = f"{url}: {str(error) or 'no answer in time'}"
        advice = (
            "Start it, or set VOICEMESH_EMBEDDINGS_BASE_URL to where it is. Where only the"
            " tool-executor may reach it, run the doctor beside that."
        )
        return [warn(check, why, advice)]
    return [checks.model_endpoint(check, url, status)]


async def _own_token() -> str:
    """Of the identity here. Raises ImportError, TokenUnavailable."""
    tokens = BearerTokens("https://cognitiveservices.azure.com/.default")
    try:
        return await tokens()
    finally:
        await tokens.aclose()


def _models_of(settings: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    if endpoint := settings["azure_openai_endpoint"]:
        query = f"?api-version={settings['azure_openai_api_version']}"
        headers = {"api-key": settings["azure_openai_api_key"]}
        return f"{endpoint.rstrip('/')}/openai/models{query}", headers
    key = settings["model_api_key"]
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return f"{settings['model_base_url'].rstrip('/')}/models", headers


async def store(settings: Mapping[str, Any]) -> list[Finding]:
    """The Redis of the session-store, by the URL that the settings hold."""
    if not settings["redis_url"]:
        advice = "Set VOICEMESH_REDIS_URL; `voicemesh up` gives its mesh one of its own."
        return [warn("redis", "no URL is set here, so it was not asked", advice)]
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(await _opened(settings, stack))
        except ValueError:
            advice = "Write VOICEMESH_REDIS_URL as rediss://host:6380."
            return [fail("redis", "the URL is none", advice)]
        except RedisTLSRefused as error:
            return [fail("redis", str(error), "Mend the VOICEMESH_REDIS_TLS_ settings.")]
        except ModuleNotFoundError as error:
            said = f"redis_entra is set, but {error.name} is not installed"
            return [fail("redis", said, "Install voicemesh[cosmos].")]
        try:
            return [checks.redis(await store.facts(), settings["store_durability"])]
        except MeshError as error:
            advice = "Start it, or set VOICEMESH_REDIS_URL to where it is, with its password."
            return [fail("redis", f"{store.address}: {error}", advice)]


async def _opened(settings: Mapping[str, Any], stack: AsyncExitStack) -> HotStore:
    """The store as the session-store would open it."""
    credentials = None
    if settings.get("redis_entra"):
        credential = await stack.enter_async_context(process_credential_async())
        credentials = await stack.enter_async_context(EntraCredentials(credential))
    return HotStore(
        settings["redis_url"],
        timeout=ASK_SECONDS,
        attempts=1,
        credentials=credentials,
        cluster=settings["redis_cluster"],
        tls=RedisTLS.told(settings),
    )


async def gateway(control_url: str, control_key: str = "") -> list[Finding]:
    """The gateway's control plane: whether it is ready and why not, its version, its clock."""
    try:
        status, body, date = await _get(f"{control_url}/readyz")
        alive = (await _get(f"{control_url}/healthz"))[1]
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = str(error) or "no answer in time"
        advice = "Start it, or name it with --control-url."
        return [fail("gateway", f"{control_url}: {why}", advice)]
    found = [ok("gateway", f"{control_url} is ready")]
    if status != 200:
        said = body.get("detail") or f"status {status}"
        found = [fail("gateway", f"{control_url} is not ready: {said}", "See the lines below.")]
    found += await _gateway_status(control_url, control_key, str(alive.get("version", "")))
    return [*found, *_skew(date, control_url)]


async def _gateway_status(control_url: str, control_key: str, version: str) -> list[Finding]:
    """What the gateway tells of itself to who has its key, else the version that it tells anybody."""
    found = [checks.version(GATEWAY, version, installed_version("voicemesh"))]
    try:
        status = await Process(GATEWAY, control_url, None, control_key).status()
    except Refused as error:
        advice = "Give --control-key, or set VOICEMESH_CONTROL_KEY."
        return [*found, warn("gateway status", str(error), advice)]
    except Unanswered:
        return found
    return of_status(GATEWAY, control_url, status, datetime.now(UTC))


async def clock(url: str) -> list[Finding]:
    """This clock against the Date of an HTTP server that is trusted to know the time."""
    try:
        _, _, date = await _get(url)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        why = str(error) or "no answer in time"
        return [fail("clock", f"{url}: {why}", "Name another server with --clock-reference.")]
    return _skew(date, url) or [
        fail("clock", f"{url} tells no Date", "Name another server with --clock-reference.")
    ]


def _skew(date: str, reference: str) -> list[Finding]:
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return []
    return [checks.clock((datetime.now(UTC) - theirs).total_seconds(), reference)]


async def _get(
    url: str, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any], str]:
    """Status, JSON body (empty where it is none) and Date of an answer. Follows no redirect."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
        http.get(url, allow_redirects=False) as answer,
    ):
        date = answer.headers.get("Date", "")
        if "json" not in answer.headers.get("Content-Type", ""):
            return answer.status, {}, date
        body = await answer.json(content_type=None)
        return answer.status, body if isinstance(body, dict) else {}, date
