"""orchestrator: decides what the agent says.

Owns: conversations, one for each call leg: whose turn it is, what the model is asked, which tools it
gets, what of its answer is said and what of that was heard.
Calls: the model endpoint (any that speaks the OpenAI wire), the tool-executor, the session-store.
Never: touches audio; runs a tool itself; keeps anything that a call needs in its own memory alone
(what happened is in the journal).

`servicer` opens conversations, `conversation` is one of them, `turn` one answer in it; `segmenter` and
`history` are pure; `llm` is the only module that knows the model's SDK; `journal` and `tools` are the
two peers.
"""
