"""`python -m qwenkit.sandbox`: the same as `qwenkit sandbox`."""

from __future__ import annotations

from qwenkit.sandbox.serve import main

if __name__ == "__main__":
    raise SystemExit(main())
