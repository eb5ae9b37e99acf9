"""The world: the paper's platform in a box, and worlds that differ from it."""
