"""Weight files in and out: our skeletons, motion modules and LoRAs."""
