"""Where things are in a frame, and their pictures drawn there."""
