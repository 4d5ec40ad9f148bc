"""How good a clip is: metrics, text and plots."""
