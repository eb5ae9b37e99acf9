"""Agents to compare with: AutoScale and AdaDeep as the paper uses them, and plain bandits."""
