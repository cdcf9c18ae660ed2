"""Which network addresses belong to the internet, and not to the machine, its network or a way into one."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

_UNICAST = IPv6Network("2000::/3")
"""What is given out on the internet. Mapped (``::ffff:0:0/96``), translated (``::ffff:0:0:0/96``) and compatible
(``::/96``) IPv4 addresses lie outside of it, and so does NAT64 (``64:ff9b::/96``, ``64:ff9b:1::/48``)."""
_NOT_GIVEN_OUT = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocols' own, Teredo among them, which carries an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries an IPv4 address
        "3ffe::/16",  # the first test network, given back
        "3fff::/20",  # documentation
    )
)
_NOT_GIVEN_OUT_4 = (
    IPv4Network("192.0.0.0/24"),  # protocols' own
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
)


def is_public(address: str) -> bool:
    """Whether an address, as ``getaddrinfo`` gives it, is one of the internet.

    IPv6 addresses that carry an IPv4 address are none, whatever they carry: where they are routed, a gateway decides
    what is reached. Not known is the prefix that a network has chosen for its own NAT64.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _is_public_4(found) if isinstance(found, IPv4Address) else _is_public_6(found)


def _is_public_4(address: IPv4Address) -> bool:
    is_given_out = address.is_global and not address.is_multicast and not address.is_reserved
    return is_given_out and not any(address in network for network in _NOT_GIVEN_OUT_4)


def _is_public_6(address: IPv6Address) -> bool:
    return (
        address.scope_id is None
        and address.is_global
        and address in _UNICAST
        and not any(address in network for network in _NOT_GIVEN_OUT)
        and not _carries_isatap(address)
    )


def _carries_isatap(address: IPv6Address) -> bool:
    """An IPv4 address behind any prefix, told by the interface's part (RFC 5214)."""
    return (int(address) >> 32) & 0xFDFF_FFFF == 0x0000_5EFE


def addresses_of(host: str, port: int) -> list[str]:
    """All addresses of a name, in the order in which they are to be tried. Raises ``OSError``."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long
        raise OSError(f"{host[:100]!r} is no name") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))
