"""Examples: real work on data that every machine has. `demo.py` gathers them for the demo."""
