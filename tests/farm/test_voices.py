"""Voices: so many from one network in a day, each for its votes."""

import pytest

from sheepfold.farm.voices import MOST_VOICES, MOST_VOTES, Voices

DAY_S = 86_400


@pytest.fixture
def voices(clock) -> Voices:
    return Voices(clock)


def voices_left(voices: Voices, address: str) -> int:
    """Use up the voices that an address has left; returns how many they were."""
    return sum(voices.count(address, f"{address} {n}") for n in range(2 * MOST_VOICES))


def test_a_network_has_its_voices_and_the_next_day_anew(voices, clock):
    assert voices_left(voices, "192.0.2.1") == MOST_VOICES
    assert voices_left(voices, "192.0.2.2") == MOST_VOICES
    assert not voices.count("192.0.2.1", "one more")
    clock.advance(DAY_S)
    assert voices.count("192.0.2.1", "one more")


def test_a_household_of_ipv6_is_one_network_and_an_address_of_ipv4_in_its_clothes_its_own(voices):
    assert voices_left(voices, "2001:db8::1") == MOST_VOICES
    assert not voices.count("2001:db8::2:0:0:1", "one more")
    assert voices.count("2001:db8:0:1::1", "one more")
    assert voices_left(voices, "::ffff:192.0.2.1") == MOST_VOICES
    assert not voices.count("192.0.2.1", "one more")
    assert voices.count("::ffff:192.0.2.2", "one more")


def test_who_has_a_voice_keeps_it_and_changes_its_mind_so_often(voices):
    assert all(voices.count("192.0.2.1", "ann") for _ in range(MOST_VOTES))
    assert not voices.count("192.0.2.1", "ann")
    assert voices.count("192.0.2.1", "bob")


def test_no_crowd_of_networks_fills_the_memory(voices):
    for high in range(256):
        for low in range(32):
            voices.count(f"10.0.{high}.{low}", "ann")
    assert len(voices._cast) <= 2000
