"""orchestrator: decides what the agent says."""
