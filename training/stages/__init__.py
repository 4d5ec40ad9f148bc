"""The stages of the mini model's training, one file each: `run.py train STAGE`."""
