"""The space-time U-Net: temporal layers, and the walk that weaves them into an image U-Net."""
