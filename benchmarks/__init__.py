"""Scripts that measure the shipped weights and print tables: `python run.py bench NAME`."""
