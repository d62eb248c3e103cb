"""Where a client is connected, and what a check-up found: the values behind the status card and the doctor."""

from __future__ import annotations

import msgspec

from qwenkit.types._shown import Shown


class Connection(Shown, msgspec.Struct, frozen=True):
    """The resolved side of a client: where it calls and with which (masked) key."""

    region: str = ""
    workspace: str = ""
    masked_key: str = ""
    key_from: str = ""
    model: str = ""
    urls: dict[str, str] = {}
    sandbox: bool = False
    budget: str = ""
    notes: list[str] = []


class Finding(msgspec.Struct, frozen=True):
    """One line of a check-up. `cure` says what to do and is empty when all is well."""

    name: str
    ok: bool | None
    detail: str = ""
    cure: str = ""


class CheckUp(Shown, msgspec.Struct, frozen=True):
    """What the doctor saw."""

    findings: list[Finding] = []

    @property
    def ok(self) -> bool:
        return all(finding.ok is not False for finding in self.findings)
