"""Deflicker and layout following as functions that ComfyUI calls at each sampling step."""
