"""What tool authors import: the registry, and nothing else of the mesh."""
