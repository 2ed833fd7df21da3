"""session-store: keeps what outlives a pod."""
