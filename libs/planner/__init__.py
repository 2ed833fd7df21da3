"""The local profile's model endpoint: a planner, not a language model."""
