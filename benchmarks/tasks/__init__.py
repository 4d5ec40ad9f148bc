"""How well masks are tracked and clips are edited."""
