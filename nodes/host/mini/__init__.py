"""The embedded model as ComfyUI's MODEL, CLIP and VAE."""
