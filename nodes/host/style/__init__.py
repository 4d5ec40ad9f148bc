"""Style inside ComfyUI: the reference, what is fitted to pictures, and blended weights."""
