"""What changes a prediction while a clip is sampled: style, deflicker, layout following, textual inversion."""
