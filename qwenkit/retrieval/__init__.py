"""Retrieval by hand, without I/O of its own kind: documents become pieces, pieces are kept, found and fused.

Read in this order: `sources` (what may be added), `splitting` (text into pieces), `words` (terms of any script),
`filters` (`where=…`), `shelves` (what a store must do), `naming` (which document is meant), `sqlite` with `codes` (one
file), `qdrant` and `postgres` (existing engines), `fusing` (two rankings into one). `qwenkit.api.retriever` puts them
together.
"""
