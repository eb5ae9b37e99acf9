"""Simulated worlds: the paper's platform, worlds that differ from it, and their optimum."""
