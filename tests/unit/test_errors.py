"""The error tree: what each error says in its one line, and that it is a card as well."""

from __future__ import annotations

import inspect
import re

import pytest

from qwenkit import errors

TREE = {
    "QwenError": Exception,
    "ConfigError": errors.QwenError,
    "BudgetExceeded": errors.QwenError,
    "TransportError": errors.QwenError,
    "APIError": errors.QwenError,
    "AuthError": errors.APIError,
    "PermissionDenied": errors.APIError,
    "InvalidRequest": errors.APIError,
    "NotFound": errors.APIError,
    "RateLimited": errors.APIError,
    "QuotaExceeded": errors.APIError,
    "ContentRejected": errors.APIError,
    "ServerError": errors.APIError,
    "SchemaMismatch": errors.QwenError,
    "StreamBroken": errors.QwenError,
    "TaskFailed": errors.QwenError,
    "ToolError": errors.QwenError,
    "SessionClosed": errors.QwenError,
}
CLASSES = [getattr(errors, name) for name in TREE]


def test_the_tree_is_the_one_that_is_drawn():
    defined = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and kind.__module__ == "qwenkit.errors"
    }
    assert {name: kind.__bases__[0] for name, kind in defined.items() if issubclass(kind, Exception)} == {
        **TREE,
        "BudgetWarning": UserWarning,
        "RoundsWarning": UserWarning,
    }
    drawn = re.findall(r"(?:QwenError|[├└]── (\w+))", errors.__doc__ or "")
    assert {name for name in drawn if name} == set(TREE) - {"QwenError"}


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_one_line_says_what_happened_to_which_request_and_what_to_do(kind: type[errors.QwenError]):
    error = kind("it broke", hint="mend it", request="POST /x", request_id="r-1", tries=3)
    assert "it broke (POST /x, request r-1, tried 3 times) → mend it" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_nothing_known_is_nothing_said(kind: type[errors.QwenError]):
    assert str(kind("it broke")) == "it broke"


def test_an_api_error_leads_with_its_status_and_code():
    error = errors.RateLimited("slow down", status=429, code="limit_requests", hint="wait")
    assert str(error) == "429 limit_requests: slow down → wait"
    assert (error.retry, error.retry_after, error.raw) == ("no", None, "")


def test_a_transport_error_says_why():
    assert errors.TransportError("gone", kind="reset").kind == "reset"


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_every_error_is_a_card_too(kind: type[errors.QwenError]):
    bundle = kind("it <b>broke</b>", hint="mend it")._repr_mimebundle_()
    assert "it <b>broke</b>" in bundle["text/plain"]
    assert "<b>broke" not in bundle["text/html"]
    assert "mend it" in bundle["text/html"]


def test_ipython_prints_one_line_in_place_of_a_traceback():
    assert errors.NotFound("no such model", status=404)._render_traceback_() == ["NotFound: 404: no such model"]


def test_a_broken_card_does_not_hide_the_error(monkeypatch: pytest.MonkeyPatch):
    class Kernel:
        kernel = object()

        class display_pub:  # noqa: N801 - the name IPython uses
            @staticmethod
            def publish(bundle: object) -> None:
                raise RuntimeError("no front end")

    class Module:
        @staticmethod
        def get_ipython() -> object:
            return Kernel

    monkeypatch.setitem(errors.sys.modules, "IPython", Module)
    assert errors.ConfigError("it broke")._render_traceback_() == ["ConfigError: it broke"]
