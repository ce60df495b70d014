"""Addresses of callers, and the networks that they count with."""

import ipaddress

IPV6_BITS = 64
"""What one household has: whoever is of it may call by any of its addresses."""


def read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address, None for what is none; an IPv4 address in the clothes of IPv6 is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def network_of(text: str, ipv4_bits: int) -> str:
    """Return the name of the network that an address counts with, of IPv4 by so many bits; what is none is its own."""
    address = read_address(text)
    if address is None:
        return text
    bits = ipv4_bits if address.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network((address, bits), strict=False))
