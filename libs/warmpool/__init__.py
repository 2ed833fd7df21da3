"""A pool of clients that are costly to open. Standard library only."""
