"""Scripts that make files of this repository: `python -m tools.NAME`."""
