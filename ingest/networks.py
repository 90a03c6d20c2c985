"""Which addresses of the network may be connected to: public ones, and what was named on purpose.

The rules allow; what they do not know is refused. They do not follow `ipaddress.is_global`, which
counts NAT64, 6to4, multicast and the metadata address 192.0.0.192 as global.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(word) for word in text.split())


# Of the IANA IPv4 Special-Purpose Address Registry, what is not reachable by everybody or is no
# host: 192.88.99.0/24 is the retired relay of 6to4.
_SPECIAL_V4 = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24"
    " 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24"
    " 224.0.0.0/4 240.0.0.0/4"
)
# All unicast that IANA has given out is in here, but for protocols' own (2001::/23 with Teredo and
# ORCHID), documentation and 6to4.
_GLOBAL_V6 = ip_network("2000::/3")
_SPECIAL_V6 = _networks("2001::/23 2001:db8::/32 2002::/16 3fff::/20")
# Never, whatever was named: this host, link-local, multicast, broadcast, and where clouds keep the
# credentials of a machine (AWS, Azure, Alibaba, Oracle, Google; the usual one is link-local).
_NEVER = _networks(
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 255.255.255.255/32 168.63.129.16/32 100.100.100.200/32"
    " 192.0.0.192/32 ::/128 fe80::/10 fec0::/10 ff00::/8 fd00:ec2::/32 fd20:ce::254/128"
)
_LOOPBACK = _networks("127.0.0.0/8 ::1/128")
# IPv6 that ends in an IPv4 address: compatible, translated (SIIT), NAT64.
_ENDING_IN_V4 = _networks("::/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48")


def is_allowed(address: Address, allow_private: Iterable[Network] = ()) -> bool:
    """Tell whether this address may be connected to.

    `allow_private` names networks that are not public. It never opens metadata, link-local and
    multicast addresses, and loopback only by a network that lies within loopback.
    """
    address = _plain(address)
    faces = (address, *_inside(address))
    if any(_in(face, _NEVER) for face in faces):
        return False
    named = tuple(allow_private)
    if any(_in(face, _LOOPBACK) for face in faces):
        return _in(address, [network for network in named if _is_loopback(network)])
    return _is_public(address) or _in(address, named)


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or ip_address(address.packed)  # without a zone such as %eth0


def _inside(address: Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that an IPv6 address may stand for."""
    if isinstance(address, IPv4Address) or _in(address, _LOOPBACK):
        return ()
    found = [address.sixtofour, *(address.teredo or ())]
    if _in(address, _ENDING_IN_V4):
        found.append(IPv4Address(address.packed[-4:]))
    return tuple(each for each in found if each is not None)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _in(address, _SPECIAL_V4)
    return address in _GLOBAL_V6 and not _in(address, _SPECIAL_V6)


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _is_loopback(network: Network) -> bool:
    return any(
        network.version == loopback.version
        and loopback.network_address <= network.network_address  # type: ignore[operator]
        and network.broadcast_address <= loopback.broadcast_address  # type: ignore[operator]
        for loopback in _LOOPBACK
    )
