"""What `training.finetune.train` is made of: the user's own checkpoint, frozen, and the user's own videos.

videos  -> decode -> buckets -> cache    what to learn from: files, frames, sizes, latents and texts on disk
image_model <- mini, comfyui <- load     what is learned on: one small interface to any U-Net in the LDM layout
start, batches, gradient_checkpointing   the skeleton to begin with, what a step sees, less memory for more time
"""
