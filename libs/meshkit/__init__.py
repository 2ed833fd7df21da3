"""How every service starts, dials, fails, is configured and logs."""
