"""From what a user has to a clip with a keep mask, and back: tasks, masks, tracking, compositing."""
