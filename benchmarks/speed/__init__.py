"""What a clip costs, against windows and single frames."""
