"""Who calls, and where: key, region, workspace and addresses, resolved once.

Arguments win over the environment, the environment over a `.env` file beside the notebook. Any address of the service
may be pasted as `base_url`, with or without a path; it is reduced to its root and every API family is found below it.
A `…/v1` of another OpenAI-compatible server keeps chat and embeddings, and what it lacks says so. The key is kept in a
`Secret`, which does not print.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from qwenkit import catalogue
from qwenkit.access import PATHS, AccessKey, address
from qwenkit.errors import ConfigError
from qwenkit.secret import Secret

KEY_NAME = "DASHSCOPE_API_KEY"
HTTP_NAMES = ("DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL", "DASHSCOPE_COMPATIBLE_BASE_URL")
_WS_NAMES = ("DASHSCOPE_WEBSOCKET_BASE_URL",)
_REGION_NAMES = ("DASHSCOPE_REGION", "DASHSCOPE_API_REGION")
_WORKSPACE_NAMES = ("DASHSCOPE_WORKSPACE", "DASHSCOPE_WORKSPACE_ID")
_ENV_LINE = re.compile(r"""^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*("[^"]*"|'[^']*'|.*?)(?:\s+#.*)?\s*$""")
_KEY = re.compile(r"[!#-&(-_a-~]+")  # visible ASCII, which a header may carry, without quotes
_WORKSPACE = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_GET_KEY = "get one in the Model Studio console, then set DASHSCOPE_API_KEY; or use qk.sandbox(), which needs none"

Environment = Mapping[str, str]


class Settings(dict[str, str]):
    """Environment settings by name. Values may be keys, so only the number of them is shown."""

    def __repr__(self) -> str:
        return f"Settings({len(self)})"


class Config(msgspec.Struct, frozen=True):
    """A resolved configuration. `urls` maps each API family to its base address; a family missing there is absent."""

    key: Secret
    key_from: str
    urls: dict[str, str]
    region: str = ""
    workspace: str = ""
    root: str = ""
    timeout: float = 300.0
    max_retries: int = 2
    access_key: AccessKey | None = None

    @classmethod
    def resolve(
        cls,
        *,
        api_key: str | Secret | None = None,
        region: str | None = None,
        workspace: str | None = None,
        base_url: str | None = None,
        ws_url: str | None = None,
        host: str | None = None,
        timeout: float | None = None,
        max_retries: int | None = None,
        access_key_id: str | None = None,
        access_key_secret: str | Secret | None = None,
        env: Environment | None = None,
    ) -> Config:
        """Resolve arguments, then environment, then `.env`. Raises `ConfigError` naming the cure."""
        api_key, access_key_secret = Secret.of(api_key), Secret.of(access_key_secret)
        env = environment() if env is None else Settings(env)
        key, key_from = find_key(api_key, env)
        placed = bool(base_url or region or host)  # an address from the environment does not outvote an argument
        base_url = base_url or (None if placed else _first(env, HTTP_NAMES))
        ws_url = ws_url or (None if placed else _first(env, _WS_NAMES))
        workspace = _workspace(workspace or _first(env, _WORKSPACE_NAMES) or "")
        named = region or _first(env, _REGION_NAMES) or ""
        if base_url:
            urls, place = addresses(base_url)
            named = place or named
        else:
            place = _place(named or "beijing")
            urls, _ = addresses(f"https://{_host(place, workspace, host)}")
            named = place.name
        if not key and "native" in urls:  # a local OpenAI-compatible server may need no key; the service always does
            raise ConfigError("no API key was found", hint=_GET_KEY)
        if ws_url:
            urls = {**urls, **_sockets(ws_url)}
        return cls(
            key=key,
            key_from=key_from,
            urls=urls,
            region=named,
            workspace=workspace,
            root=urls.get("root", ""),
            timeout=_number(timeout, env, "DASHSCOPE_TIMEOUT", 300.0),
            max_retries=int(_number(max_retries, env, "DASHSCOPE_MAX_RETRIES", 2)),
            access_key=AccessKey.find(access_key_id, access_key_secret, env, workspace),
        )

    def url(self, family: str, path: str = "") -> str:
        """The address of a path in an API family; a clear refusal where the server has no such family."""
        if family in PATHS and "native" in self.urls:
            return address(family, self.root, self.workspace) + path
        base = self.urls.get(family)
        if base is None:
            raise ConfigError(
                f"{self.urls['compatible']} is a plain OpenAI-compatible server: it has no {family} API",
                hint="chat, embeddings and models work here; for the rest use a Model Studio address or qk.sandbox()",
            )
        return base + path


def environment(folder: Path | None = None) -> Settings:
    """The process environment; DASHSCOPE_* and ALIBABA_CLOUD_* names of a `.env` in the working folder lie beneath."""
    path = (folder or Path.cwd()) / ".env"
    found = Settings()
    if path.is_file():
        for line in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
            match = _ENV_LINE.match(line)
            if match and match[1].startswith(("DASHSCOPE_", "ALIBABA_CLOUD_")):
                found[match[1]] = match[2].strip("'\"")
    if KEY_NAME in found and KEY_NAME not in os.environ:
        found["QWENKIT_KEY_FROM"] = ".env"
    return Settings({**found, **os.environ})


def find_key(given: Any, env: Environment) -> tuple[Secret, str]:
    """The key and where it came from; an empty `Secret` and "" when there is none."""
    given, env = Secret.of(given), Settings(env)
    if given is not None:
        if not isinstance(given, Secret):
            raise ConfigError(f"api_key cannot be a {type(given).__name__}", hint="pass the key as text")
        return _checked(given, "the api_key argument"), "argument"
    if env.get(KEY_NAME, "").strip():
        return _checked(Secret(env[KEY_NAME]), KEY_NAME), env.get("QWENKIT_KEY_FROM", KEY_NAME)
    path = env.get("DASHSCOPE_API_KEY_FILE_PATH", "")
    if path:
        try:
            key = Secret(Path(path).read_text(encoding="utf-8-sig", errors="replace"))
        except OSError as missing:
            hint = "make the file, or unset DASHSCOPE_API_KEY_FILE_PATH"
            raise ConfigError(f"the key file cannot be read ({missing.strerror})", hint=hint) from None
        return _checked(key, "the key file"), "DASHSCOPE_API_KEY_FILE_PATH"
    return Secret(""), ""


def addresses(base_url: str) -> tuple[dict[str, str], str]:
    """Every API family below a pasted address, and the region it names ("" for a host of no region)."""
    root, plain = _root(base_url)
    family = catalogue.host_family(root)
    if family is not None and family.kind.endswith("-plan"):
        return _plan(root, base_url), family.region.name
    if plain:
        return {"root": root, "compatible": plain}, ""
    urls = {"root": root, **_below(root)}
    if catalogue.paths()["responses_founding"] in base_url:  # whoever writes the retired path down means it
        urls["responses"] = urls["responses_founding"]
    return urls, family.region.name if family else ""


def _below(root: str) -> dict[str, str]:
    socket = "ws" + root.removeprefix("http")
    return {
        name: (socket if name in ("inference", "realtime") else root) + path for name, path in catalogue.paths().items()
    }


def _root(base_url: str) -> tuple[str, str]:
    """The root of an address, and for a plain `…/v1` server that address itself."""
    text = base_url.strip()
    if "://" not in text:
        text = f"http://{text}" if text.startswith(("localhost", "127.", "[::1]")) else f"https://{text}"
    try:
        parts = urlsplit(text)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        good = scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.username
    except ValueError:
        good = False
    if not good or re.search(r"\s", text) or (parts.hostname or "").startswith("sk-"):
        shown = re.sub(r"//[^/]*@|sk-[\w.-]+", "…", base_url)  # a password or a key may have been pasted here
        raise ConfigError(f"base_url {shown!r} is not a web address", hint="it should look like https://host/…")
    path = re.sub(r"/(chat/completions|embeddings|models|responses)$", "", parts.path.rstrip("/"))
    prefix = _family_prefix(path)
    if prefix is None and path.endswith("/v1"):
        return f"{scheme}://{parts.netloc}", f"{scheme}://{parts.netloc}{path}"
    return f"{scheme}://{parts.netloc}{path if prefix is None else prefix}", ""


def _family_prefix(path: str) -> str | None:
    """What stands before a known family path (`/x` of `/x/compatible-mode/v1`), or None when there is none."""
    known = sorted([*catalogue.paths().values(), "/api-ws/v1", "/compatible-mode", "/api-ws"], key=len, reverse=True)
    for ending in known:
        if path == ending or path.endswith(ending) or path.startswith(ending + "/"):
            return path[: path.rindex(ending)]
    return None


def _plan(root: str, base_url: str) -> dict[str, str]:
    """The coding and token plans serve the compatible family only, each at its own path."""
    path = "/v1" if "coding" in root else "/compatible-mode/v1"
    return {"root": root, "compatible": root + path, "anthropic": root + "/apps/anthropic"}


def _sockets(ws_url: str) -> dict[str, str]:
    root, _ = _root(ws_url)
    return {name: url for name, url in _below(root).items() if name in ("inference", "realtime")}


def _place(name: str) -> Any:
    place = catalogue.region(name)
    if place is None:
        known = ", ".join(region.name for region in catalogue.regions())
        raise ConfigError(f"there is no region {name!r}", hint=f"one of: {known}; or pass base_url=…")
    return place


def _host(place: Any, workspace: str, kind: str | None) -> str:
    """The host of a region: the workspace's own when one is named, unless `host` asks for another kind."""
    kind = kind or ("workspace" if workspace else "shared")
    if kind == "workspace" and workspace:
        return str(place.workspace_host.format(workspace=workspace))
    host = {"shared": place.shared_host, "trial": place.trial_host}.get(kind, "")
    if not host:
        hint = "pass workspace='ws-…' (console → workspace settings)" if kind != "trial" else "use host='shared'"
        raise ConfigError(f"region {place.name} has no {kind} host", hint=hint)
    return str(host)


def _checked(key: Secret, source: str) -> Secret:
    """The key without blanks around it. Its text stays out of this frame, which a traceback may show."""
    key = Secret(key.reveal().strip())
    if not key:
        raise ConfigError(f"{source} is empty", hint=_GET_KEY)
    if not _KEY.fullmatch(key.reveal()):
        raise ConfigError(f"{source} holds characters no key has", hint="copy it again, without quotes or blanks")
    return key


def _workspace(name: str) -> str:
    if name and (name.startswith("sk-") or not _WORKSPACE.fullmatch(name.strip())):
        name = "a key" if name.startswith("sk-") else name
        raise ConfigError(f"{name!r} is no workspace id", hint="ids look like ws-… or llm-…, as the console shows them")
    return name.strip()


def _first(env: Environment, names: tuple[str, ...]) -> str | None:
    return next((env[name].strip() for name in names if env.get(name, "").strip()), None)


def _number(given: float | None, env: Environment, name: str, default: float) -> float:
    text = given if given is not None else env.get(name) or default
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < float("inf"):
        hint = f"set it to seconds or a count, such as {default:g}"
        raise ConfigError(f"{name.removeprefix('DASHSCOPE_').lower()} cannot be {text!r}", hint=hint)
    return number


def seconds(timeout: Any) -> float:
    """A time-out for one call: a number of seconds above zero."""
    number = _number(timeout, {}, "timeout", 300.0)
    if number == 0:
        raise ConfigError("timeout cannot be 0", hint="give it seconds, such as 30")
    return number
