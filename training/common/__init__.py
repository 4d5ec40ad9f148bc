"""What several trainers share: the run's state, data, caches, conditions, sampling, contact sheets."""
