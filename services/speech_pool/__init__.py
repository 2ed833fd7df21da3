"""speech-pool: owns the warm speech clients of its pod."""
