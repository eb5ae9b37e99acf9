"""Sources: what hands pictures to the gateway within its own process."""
