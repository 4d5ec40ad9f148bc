"""The walk inside ComfyUI: a skeleton on a MODEL, how one block runs, what is given, sampling."""
