"""Reads prompts: what a user writes, in ten languages, becomes things of the picture book and words that the mini model knows.

`reader.read_prompt` is the way in; `tables.load_tables` makes what it needs once.
"""
