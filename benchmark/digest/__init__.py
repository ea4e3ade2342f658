"""What code means, as hashes: a cell's key follows from them."""
