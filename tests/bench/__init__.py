"""What qwenkit costs beside its peers: CPU per unit of work, on loopback, against a floor of raw httpx and `json`.

    python -m tests.bench                         # everything, 7 rounds: some twelve minutes
    python -m tests.bench stream import           # two of them, and those named after them (`stream-async`)
    python -m tests.bench --quick                 # small sizes, 3 rounds: a minute or two, rougher figures
    python -m tests.bench --json / --check        # the same as JSON / exit 1 when a goal is missed

How it measures: the server is a process of its own with answers encoded beforehand (`server`); every measurement is a
fresh process, and server and client sit on a core each where there are two. CPU is user + system time of the client.
Contestants take turns within a round, each round in another order, so that whatever else the machine does falls on all
alike; a ratio compares two runs of the same round, and the median over rounds is what counts. The floor runs twice per
round: "again" against itself is the A/A control, and a ratio nearer to 1 than twice its spread is a tie.

It needs Linux (it reads /proc). Nothing here is a pytest test, and nothing fails on time unless `--check` asks for it.
Read on in `measures`.
"""
