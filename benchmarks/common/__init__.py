"""What several benchmarks share: the model to measure, and sampling."""
