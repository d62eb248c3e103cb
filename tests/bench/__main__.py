"""`python -m tests.bench`: see the package's docstring."""

from __future__ import annotations

import argparse
import json
import sys

from tests.bench import __doc__ as story
from tests.bench.measures import MEASURES, Measure, carry_out
from tests.bench.processes import cores, server
from tests.bench.table import document, lines, machine


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    results = []
    if not options.json:
        where = "server and client on a core each" if cores()[0] else "not pinned"
        print(", ".join(f"{name} {version}" for name, version in machine().items()) + f"; {where}", flush=True)
    with server() as url:
        for measure in filter(lambda each: _named(each, options.names), MEASURES):
            size = options.size or (measure.quick if options.quick else measure.size)
            results.append(carry_out(measure, url, options.rounds or (3 if options.quick else 7), size, options.only))
            if not options.json:
                print("", *lines(results[-1]), sep="\n", flush=True)
    if options.json:
        print(json.dumps(document(results), indent=1))
    return int(options.check and any(result.missed() for result in results))


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench", description=story)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(each.name for each in MEASURES))
    parser.add_argument("--rounds", type=int, help="7, or 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="small sizes, rougher figures")
    parser.add_argument("--size", type=int, help="units of work per measurement")
    parser.add_argument("--only", nargs="+", default=[], metavar="CONTESTANT", help="only these contestants")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of tables")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    return parser.parse_args(argv)


def _named(measure: Measure, names: list[str]) -> bool:
    return not names or any(measure.name == name or measure.name.startswith(f"{name}-") for name in names)


if __name__ == "__main__":
    sys.exit(main())
