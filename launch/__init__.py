"""What `run.py` is made of: the environment, a ComfyUI server, its HTTP client, the demo. Standard library only."""
