"""The environment that a rendered pod's process would see."""

from __future__ import annotations

from tests.support.helm_chart import Object, Objects

SECRET = "s" * 64
SECRETS_OF_SHAPE = {"VOICEMESH_REDIS_URL": "rediss://:password@cache.example.com:10000/0"}


def environment(objects: Objects, component: str) -> dict[str, str]:
    """What a container's process would see, as the kubelet makes it; secrets made up."""
    container = objects.containers()[component]
    made = config_of(objects, container)
    for variable in container["env"]:
        value = variable.get("value") or _given(variable)
        made[variable["name"]] = value.replace("$(POD_IP)", made.get("POD_IP", ""))
    return made


def _given(variable: Object) -> str:
    source = variable["valueFrom"]
    if "fieldRef" in source:
        return "10.0.0.7"
    return SECRETS_OF_SHAPE.get(variable["name"], SECRET)


def config_of(objects: Objects, container: Object) -> dict[str, str]:
    """The data of the ConfigMap that a container is given whole."""
    (source,) = container["envFrom"]
    name = source["configMapRef"]["name"]
    (found,) = [item for item in objects.of("ConfigMap") if item["metadata"]["name"] == name]
    return dict(found["data"])
