"""The contract, tried on an entry: `thrive check`."""
