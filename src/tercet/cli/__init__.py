"""The command line, `tercet`: one file per verb."""
