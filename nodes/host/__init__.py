"""The only contact with ComfyUI's models, samplers and memory management."""
