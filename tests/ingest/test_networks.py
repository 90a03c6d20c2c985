from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from ingest.networks import is_allowed

PUBLIC = "8.8.8.8 1.1.1.1 93.184.216.34 192.0.1.1 172.32.0.1 100.128.0.1 2606:4700::1111 2a00::1"
SPECIAL = (
    "0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254"
    " 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.192 192.0.2.1"
    " 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1"
    " 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200"
    " :: ::1 ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1"
    " 64:ff9b::808:808 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::"
    " 2002:a00:1::1 2002:808:808:: 3fff::1 5f00::1 4000::1 fc00::1 fd00::1 fd00:ec2::254 fe80::1"
    " fec0::1 ff02::1 fe80::1%eth0"
)
NEVER = (
    "0.0.0.0 169.254.169.254 169.254.170.2 192.0.0.192 100.100.100.200 168.63.129.16 224.0.0.1"
    " 255.255.255.255 :: fe80::1 fec0::1 ff02::1 fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254"
    " 64:ff9b::a9fe:a9fe 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe:: ::169.254.169.254"
)
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses_may_be_connected_to(address: str) -> None:
    assert is_allowed(ip_address(address))


@pytest.mark.parametrize("address", SPECIAL.split())
def test_no_other_address_may(address: str) -> None:
    assert not is_allowed(ip_address(address))


@pytest.mark.parametrize("address", NEVER.split())
def test_metadata_link_local_and_multicast_are_never_opened(address: str) -> None:
    one = ip_address(address)
    itself = ip_network(address if "/" in address else f"{address}/{one.max_prefixlen}")
    assert not is_allowed(one, (*EVERYTHING, itself))


@pytest.mark.parametrize("address", ["10.1.2.3", "::ffff:10.1.2.3", "192.168.7.7", "fd12::1"])
def test_a_named_private_network_is_opened_and_no_other(address: str) -> None:
    named = [ip_network(text) for text in ("10.0.0.0/8", "192.168.0.0/16", "fd12::/16")]
    assert is_allowed(ip_address(address), named)
    assert not is_allowed(ip_address("172.16.0.1"), named)
    assert not is_allowed(ip_address("fd13::1"), named)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_loopback_is_opened_only_by_its_own_name(address: str) -> None:
    assert not is_allowed(ip_address(address), EVERYTHING)


def test_loopback_by_its_own_name_is_opened() -> None:
    assert is_allowed(ip_address("127.0.0.1"), [ip_network("127.0.0.0/8")])
    assert is_allowed(ip_address("::1"), [ip_network("::1/128")])
    assert not is_allowed(ip_address("127.0.0.2"), [ip_network("127.0.0.1/32")])
