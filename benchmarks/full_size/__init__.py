"""What a clip costs at the full size of SD1.5, in a real ComfyUI."""
