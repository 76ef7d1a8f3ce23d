"""Fuzzing of every decoder that meets bytes of others: targets in `targets/`, the engine in `engine.py`.

`make fuzz SECONDS=30` runs all targets, `make fuzz SECONDS=1200 TARGET=sealed` one. `replay.py` runs the committed
corpora and the regression files through the same functions without an engine; that is what `make test` does.
"""
