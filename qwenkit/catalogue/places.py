"""The places: regions, their hosts and paths, and which of them a pasted address belongs to.

A region has up to one shared host (keys of any workspace), a workspace host per workspace, and a few special hosts
(trial, batch, plans). What the sources disagree about is said in `notes`; nothing here opens a connection.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from qwenkit.catalogue._shelf import read


class Region(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One region. Hosts are bare names, "" where there is none; `currency` is the one its prices are looked up in."""

    id: str
    name: str
    title: str
    aliases: list[str]
    workspace_host: str  # "{workspace}" stands for the workspace id
    currency: str
    shared_host: str = ""
    trial_host: str = ""
    batch_host: str = ""
    coding_plan_host: str = ""
    token_plan_host: str = ""
    founding: bool = False
    notes: list[str] = []

    def host(self, workspace: str = "") -> str:
        """The host to call: the workspace's own if one is named, else the shared one ("" where there is none)."""
        return self.workspace_host.format(workspace=workspace) if workspace else self.shared_host


class HostFamily(msgspec.Struct, frozen=True):
    """What an address is: its region and kind (shared, workspace, trial, batch, coding-plan, token-plan)."""

    kind: str
    region: Region
    host: str
    workspace: str = ""


class _Atlas(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    paths: dict[str, str]
    regions: list[Region]


def regions() -> list[Region]:
    """Every region, Beijing first."""
    return list(_atlas().regions)


def region(name: str) -> Region | None:
    """A region by id, name, title or alias, in any case; None when there is no such region."""
    return _by_alias().get(name.strip().lower())


def paths() -> dict[str, str]:
    """Path of each protocol below a host: native, compatible, responses, anthropic, rerank, inference, realtime."""
    return dict(_atlas().paths)


def host_family(address: str) -> HostFamily | None:
    """Which region and kind a host, or any URL on it, belongs to; None when it is not one of the service's."""
    host = address.strip().lower().rpartition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    special = _special().get(host)
    if special:
        return HostFamily(kind=special[0], region=special[1], host=host)
    workspace, _, rest = host.partition(".")
    for each in _atlas().regions:
        if workspace and each.workspace_host == "{workspace}." + rest:
            return HostFamily(kind="workspace", region=each, host=host, workspace=workspace)
    return None


@lru_cache(maxsize=1)
def _atlas() -> _Atlas:
    return read("regions.json", _Atlas)


@lru_cache(maxsize=1)
def _by_alias() -> dict[str, Region]:
    names = ((each, (each.id, each.name, each.title, *each.aliases)) for each in _atlas().regions)
    return {name.lower(): each for each, every in names for name in every}


@lru_cache(maxsize=1)
def _special() -> dict[str, tuple[str, Region]]:
    """Hosts that are spelled out, with their kind."""
    found: dict[str, tuple[str, Region]] = {}
    for each in _atlas().regions:
        for kind in ("shared", "trial", "batch", "coding_plan", "token_plan"):
            host = getattr(each, f"{kind}_host")
            if host:
                found[host] = (kind.replace("_", "-"), each)
    return found
