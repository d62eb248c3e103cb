"""The languages that models for transcripts hear: their names, and the codes that a request takes."""

from __future__ import annotations

import re
from difflib import get_close_matches

from qwenkit.errors import ConfigError

_SPOKEN = """
Chinese zh Cantonese yue English en Japanese ja German de Korean ko Russian ru French fr Portuguese pt Arabic ar
Italian it Spanish es Hindi hi Indonesian id Thai th Turkish tr Ukrainian uk Vietnamese vi Czech cs Danish da
Filipino fil Finnish fi Icelandic is Malay ms Norwegian no Polish pl Swedish sv
""".split()  # noqa: SIM905
LANGUAGES = dict(zip(_SPOKEN[::2], _SPOKEN[1::2], strict=True))  # names and the codes that the models take
_CODE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,4})?")
_CODES = {alias: code for name, code in LANGUAGES.items() for alias in (name.lower(), code)} | {"auto": ""}


def code(language: str, model: str) -> str:
    """A language as its code; names and any case will do. Codes not known here are the service's to judge."""
    low = language.strip().lower()
    if low in _CODES:
        return _CODES[low]
    if _CODE.fullmatch(low) and not model.startswith("qwen3"):
        return language
    near = get_close_matches(low.title(), LANGUAGES, n=1)
    meant = f"did you mean {near[0]!r}?" if near else f"it knows {', '.join(LANGUAGES)}, or leave it out"
    raise ConfigError(f"{model} does not know the language {language!r:.60}", hint=meant)
