"""What services that use experience share: training, translation for `rl`, history, reports."""
