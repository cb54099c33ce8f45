"""Packet lines: lengths, limits and what is no header."""

import pytest

from gitkit.core import pktline


@pytest.mark.parametrize(
    ("payload", "packet"),
    [
        (b"a\n", b"0006a\n"),
        (b"version=2\n", b"000eversion=2\n"),
        (b"\0", b"0005\0"),
        (b"x" * 251, b"00ff" + b"x" * 251),
        (b"x" * 252, b"0100" + b"x" * 252),
    ],
)
def test_packet_of_a_payload_is_its_length_with_header_in_hex_and_itself(payload: bytes, packet: bytes) -> None:
    assert pktline.packet(payload) == packet


def test_packet_of_the_largest_payload_has_the_largest_length_that_git_takes() -> None:
    assert pktline.packet(b"x" * pktline.MAX_PAYLOAD)[:4] == b"%04x" % 65520


def test_text_packets_of_lines_end_each_in_lf_and_all_in_a_flush() -> None:
    assert pktline.text_packets([b"git-filter-client", b"version=2"]) == b"0016git-filter-client\n000eversion=2\n0000"


def test_text_packets_of_nothing_are_a_flush() -> None:
    assert pktline.text_packets([]) == pktline.FLUSH


@pytest.mark.parametrize(
    ("header", "length"), [(b"0005", 1), (b"0006", 2), (b"00ff", 251), (b"00FF", 251), (b"fff0", 65516)]
)
def test_payload_length_of_a_header_is_without_the_header(header: bytes, length: int) -> None:
    assert pktline.payload_length(header) == length


def test_payload_length_of_a_flush_is_none() -> None:
    assert pktline.payload_length(pktline.FLUSH) is None


@pytest.mark.parametrize("header", [b"0001", b"0002", b"0003", b"0004", b"fff1", b"ffff"])
def test_payload_length_out_of_range_raises(header: bytes) -> None:
    with pytest.raises(ValueError, match="out of range"):
        pktline.payload_length(header)


@pytest.mark.parametrize(
    "header", [b"", b"000", b"00005", b"000g", b" 006", b"+006", b"-006", b"0x06", b"0_06", b"006\n", b"\0\0\0\6"]
)
def test_payload_length_of_what_is_no_header_raises(header: bytes) -> None:
    with pytest.raises(ValueError, match="not a packet header"):
        pktline.payload_length(header)
