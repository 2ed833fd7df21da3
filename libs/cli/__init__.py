"""The voicemesh command."""
