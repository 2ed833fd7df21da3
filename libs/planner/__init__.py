"""The local profile's model endpoint: a planner, not a language model.

It speaks the OpenAI wire over HTTP, as a process of its own (`python -m planner`). Sentence
embeddings choose among the tools that a request offers (`intents`), rules fill their arguments
(`slots`), templates speak (`replies`), and `dialogue` decides from the messages alone. It is there
for the demo, for tests and for offline work, and understands plain requests only.

It keeps nothing between requests, calls nobody, and must not be exposed: it has no authentication.
"""
