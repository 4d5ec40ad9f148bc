"""The world the embedded model learns, its trainers and its judges."""
