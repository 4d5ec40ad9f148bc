"""How well a clip takes on the style of a picture."""
