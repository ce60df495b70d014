"""The networks that callers' addresses count with."""

import pytest

from sheepfold.farm.addresses import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8::1:2:3", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("", ""),
    ],
)
def test_an_address_counts_with_its_network(address, network):
    assert network_of(address, 24) == network


def test_an_address_may_count_alone():
    assert network_of("192.0.2.77", 32) == "192.0.2.77/32"
