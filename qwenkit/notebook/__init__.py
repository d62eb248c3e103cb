"""What happens around a notebook: connecting, checking answers and machines, and testing the notebook itself.

`connect` is the first cell of every lesson, `exercises` its last ones; `doctor` (with `probes`) says what is missing;
`course` is `qwenkit lab`. For authors and teachers: `nbval_plugin` compares notebooks strictly (from `folding` and
`pictures`), and `python -m qwenkit.notebook.freshen` runs and saves them. Nothing here is loaded before it is used.
"""
