"""The Space-Time U-Net and its maths. Nothing here imports ComfyUI."""
