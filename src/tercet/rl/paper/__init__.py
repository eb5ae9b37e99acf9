"""The paper's own agent: Algorithm 1 over joint actions."""
