"""Agents of others, to compare with: AutoScale and AdaDeep as the paper uses them."""
