"""Proxies that the environment names, and whether they catch a call to a server.

The two libraries that call servers here differ. gRPC reads variables in lower case alone, takes
`*` in `no_proxy` for a name, and never looks at `NO_PROXY`. Python's own HTTP client reads both
cases.
"""

import ipaddress
import os
import urllib.parse
import urllib.request
from collections.abc import Mapping

_OF_GRPC = ("grpc_proxy", "https_proxy", "http_proxy")
"""The first that is set counts."""


def catching_grpc(target: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Returns which variable sends gRPC calls to a proxy, and what to do; None for no variable.

    >>> catching_grpc("localhost:8500", {"http_proxy": "http://proxy:3128"})
    'http_proxy=proxy:3128 catches calls to localhost: export no_proxy=localhost'

    Args:
      target: of a channel, such as `localhost:8500`.
      environment: variables.
    """
    name = next((one for one in _OF_GRPC if environment.get(one)), None)
    if name is None or target.startswith(("unix:", "vsock:")):
        return None
    host = _host(target)
    own = "no_grpc_proxy" if environment.get("no_grpc_proxy") else "no_proxy"
    entries = [one.strip() for one in environment.get(own, "").split(",") if one.strip()]
    if any(_covers(entry, host) for entry in entries):
        return None
    return _named(name, environment[name], host, own, entries)


def catching_http(host: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """Returns which variable sends HTTP calls to a proxy, as `catching_grpc`.

    Args:
      host: name or address, with or without a port.
      environment: variables.
    """
    name = next((one for one in ("http_proxy", "HTTP_PROXY") if environment.get(one)), None)
    own = next((one for one in ("no_proxy", "NO_PROXY") if environment.get(one)), "no_proxy")
    bypassed = environment.get(own, "")
    if name is None or urllib.request.proxy_bypass_environment(  # type: ignore[attr-defined]
        host, {"no": bypassed}
    ):
        return None
    entries = [one.strip() for one in bypassed.split(",") if one.strip()]
    return _named(name, environment[name], _host(host), own, entries)


def _named(name: str, proxy: str, host: str, own: str, entries: list[str]) -> str:
    # A proxy's URL may hold a password: only its place is shown.
    place = urllib.parse.urlsplit(proxy if "://" in proxy else f"//{proxy}").netloc
    shown = place.rpartition("@")[2] or "..."
    return f"{name}={shown} catches calls to {host}: export {own}={','.join([*entries, host])}"


def _host(target: str) -> str:
    """Returns the host of `localhost:8500`, `dns:///localhost:8500` or `[::1]:8500`."""
    place = target.rpartition("/")[2]
    for scheme in ("dns:", "ipv4:", "ipv6:"):
        place = place.removeprefix(scheme)
    if place.startswith("["):
        return place[1:].partition("]")[0]
    return place if place.count(":") > 1 else place.partition(":")[0]


def _covers(entry: str, host: str) -> bool:
    """Whether gRPC spares a host because of an entry: a domain, an address or a range of them."""
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        domain = entry.lower().lstrip(".")
        return host.lower() == domain or host.lower().endswith(f".{domain}")
