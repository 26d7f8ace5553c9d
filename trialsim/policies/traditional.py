"""The traditional choice in the slots whose decisions need sites, screening and visits to matter."""

from __future__ import annotations


class FirstComeFirstServed:
    """Take patients in the order in which they come."""

    name = "first_come_first_served"
    reference = "usual practice"


class AllOpen:
    """Keep every site open from the start."""

    name = "all_open"
    reference = "usual practice"


class ByProtocol:
    """Monitor nobody beyond the protocol."""

    name = "by_protocol"
    reference = "usual practice"
