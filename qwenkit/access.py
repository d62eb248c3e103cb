"""The second pair of keys: an AccessKey, which the knowledge bases' OpenAPI is signed with, and where its hosts are.

The API key opens the models; files and knowledge bases in the cloud can be reached with it too, on the workspace's own
host, or with an AccessKey on the host of the OpenAPI. The AccessKey comes from the variables that the official SDKs
read. Its secret never leaves a `Secret`; a signature is all that travels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from qwenkit import catalogue
from qwenkit.errors import ConfigError
from qwenkit.secret import Secret

ID_NAME, SECRET_NAME = "ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
TOKEN_NAME = "ALIBABA_CLOUD_SECURITY_TOKEN"
_VISIBLE = re.compile(r"[!#-&(-+\--~]+")  # ASCII that a header may carry, without blanks, quotes and commas
PATHS = {"apps": "/api/v2/apps", "rag": "/api", "openapi": ""}  # families that lie on hosts of their own


class AccessKey(msgspec.Struct, frozen=True):
    """Who signs. `token` comes with temporary credentials; `workspace` is where the knowledge bases live."""

    id: str
    secret: Secret
    token: Secret = Secret("")
    workspace: str = ""

    @classmethod
    def find(
        cls, id: str | None, secret: Secret | None, env: Mapping[str, str], workspace: str = ""
    ) -> AccessKey | None:
        """From arguments, else from the environment; None when there is none, an error when half of it was given."""
        if not isinstance(id, str | None):
            raise ConfigError(f"access_key_id cannot be a {type(id).__name__}", hint="pass it as text")
        given = bool(id or secret)
        token = Secret("" if given else env.get(TOKEN_NAME, "").strip())
        id = (id if given else env.get(ID_NAME)) or ""
        secret = (secret if given else Secret(env.get(SECRET_NAME, ""))) or Secret("")
        id, secret = id.strip(), Secret(secret.reveal().strip())
        if not (id or secret) or (not given and not (id and secret)):
            return (
                None  # half of one in the environment must not keep anybody from chatting; `way` says what is missing
            )
        if not id or not secret:
            missing = "id" if not id else "secret"
            names = f"{ID_NAME} and {SECRET_NAME}"
            raise ConfigError(f"the AccessKey has no {missing}", hint=f"set both {names}, or neither")
        if not all(_VISIBLE.fullmatch(each) for each in (id, secret.reveal(), token.reveal() or "-")):
            raise ConfigError(
                "the AccessKey holds characters no key has", hint="copy it again, without quotes or blanks"
            )
        return cls(id, secret, token, workspace)


def address(family: str, root: str, workspace: str) -> str:
    """The base address of a family that `Config.urls` does not list. A host that is not the service's has them all."""
    found = catalogue.host_family(root)
    if found is None or family == "apps":
        return root + PATHS[family]
    if family == "openapi":
        return f"https://bailian.{found.region.id}.aliyuncs.com"
    if found.kind == "workspace":
        return root + PATHS[family]
    if not workspace:
        hint = "pass workspace='llm-…' (console → workspace settings), or set DASHSCOPE_WORKSPACE"
        raise ConfigError("knowledge bases are reached on the workspace's own host, and none is named", hint=hint)
    return f"https://{found.region.host(workspace)}{PATHS[family]}"
