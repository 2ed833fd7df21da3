"""tool-executor: runs tools under policy."""
