"""How well the model does what captions ask."""
