"""gateway: owns the call."""
