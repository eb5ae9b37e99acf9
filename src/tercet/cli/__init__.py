"""The hand: `tercet`, one file per verb."""
