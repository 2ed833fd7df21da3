"""`voicemesh ingest`: folders of Markdown, HTML and PDF become a knowledge folder.

`formats` makes Markdown of one document, `conversion` keeps a folder of them in step with their
sources, `command` is what people type. What comes out is Markdown that people can read and correct
before callers hear it; the tool-executor reads it from VOICEMESH_KNOWLEDGE_FOLDER. Only what changed
is converted, and only passages that changed are embedded.
"""
