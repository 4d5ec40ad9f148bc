"""Classifiers that say what a clip shows and how it moves, and the figures that follow. They only measure."""
