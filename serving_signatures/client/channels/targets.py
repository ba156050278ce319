"""Targets of a channel: one server, a name of several, or their addresses."""

import ipaddress
import re
from collections.abc import Sequence

_SCHEMES = {4: "ipv4", 6: "ipv6"}
_ADDRESS = re.compile(r"(?:\[([^\]]+)\]|([^:]+)):(\d+)")


def grpc_target(target: str | Sequence[str]) -> str:
    """Returns a target as gRPC takes it.

    >>> grpc_target(["10.0.0.1:8500", "10.0.0.2:8500"])
    'ipv4:10.0.0.1:8500,10.0.0.2:8500'
    >>> grpc_target("dns:///models.shop.svc:8500")
    'dns:///models.shop.svc:8500'

    Args:
      target: one server or a URI of gRPC; or several addresses with their ports.

    Raises:
      ValueError: there is no address, or one that gRPC would not take in a list.
    """
    if isinstance(target, str):
        return target
    schemes = {_scheme(one) for one in target}
    if len(schemes) != 1:
        raise ValueError(
            f"Expected addresses, all of IPv4 or all of IPv6, received {list(target)}."
        )
    return f"{schemes.pop()}:{','.join(target)}"


def is_list(target: str) -> bool:
    """Whether a target of gRPC is a list of addresses, which nothing resolves."""
    return target.startswith(tuple(f"{scheme}:" for scheme in _SCHEMES.values()))


def _scheme(place: str) -> str:
    found = _ADDRESS.fullmatch(place)
    try:
        if found is not None:
            return _SCHEMES[ipaddress.ip_address(found[1] or found[2]).version]
    except ValueError:
        pass
    raise ValueError(
        f"Expected an address with its port, such as 10.0.0.1:8500 or [fd00::1]:8500, received "
        f"{place!r}. For a name, let DNS answer several addresses: dns:///name:8500."
    )
