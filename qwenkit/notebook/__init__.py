"""What happens around a notebook: connecting, checking answers and machines, and testing the notebook itself.

`connect` is the first cell of every lesson, `exercises` its last ones; `doctor` (with `probes`) says what is missing;
`course` is `qwenkit lab`; `allow_asyncio_run` lets pasted scripts call `asyncio.run`. For authors and teachers:
`nbval_plugin` compares notebooks strictly (from `folding` and `pictures`), and `python -m qwenkit.notebook.freshen`
runs and saves them. Nothing here is loaded before it is used.
"""

from __future__ import annotations

from typing import Any


def allow_asyncio_run() -> None:
    """Make `asyncio.run(main())` work in this notebook, so that scripts run as pasted; `%load_ext qwenkit` does it too.

    qwenkit itself never needs it: a cell may `await` as it is.
    """
    from qwenkit.notebook.asyncio_run import allow

    allow()


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext qwenkit`."""
    allow_asyncio_run()
