"""Refuse every connection that leaves this machine; Python loads this file by itself in each child process of a test.

`tests/conftest.py` imports it too and puts its folder on the children's PYTHONPATH. An audit hook sees every socket of
the process, whichever library opens it, and cannot be taken off again.
"""

import ipaddress
import sys


class NetworkRefused(RuntimeError):  # noqa: N818 - says what happened, and no library retries it as an OSError
    """A test tried to reach another machine."""


def is_local(host: object) -> bool:
    """Whether a host name or address means this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    # None and "" mean "any address of this machine" when a server asks.
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook. Raises NetworkRefused for what would leave this machine."""
    if event in ("socket.connect", "socket.sendto"):
        # Addresses of AF_INET and AF_INET6 are tuples; a Unix socket has a path.
        address = arguments[1]
        if isinstance(address, tuple) and not is_local(address[0]):
            raise NetworkRefused(f"the tests run offline, but something connects to {address[0]}")
    elif event == "socket.getaddrinfo" and not is_local(arguments[0]):
        raise NetworkRefused(f"the tests run offline, but something looks up {arguments[0]!r}")


sys.addaudithook(refuse_network)
