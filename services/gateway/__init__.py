"""gateway: owns the call.

It takes the media WebSocket that ACS dials, and joins, for each call, the caller's audio to a
recogniser, the words to the orchestrator, the answer to a synthesiser, and that audio back to the
caller at the pace of speech. The caller may interrupt at any time.

It calls: speech-pool, orchestrator, session-store.
It never: decides what the agent says; sees a prompt or a tool's arguments; logs what was said or
keyed.

Pure: `media` (the wire), `playback` (pacing), `turn_taking`, `heard`, `turns`, `timeline`, `dtmf`,
`caller_audio`. Streams: `hearing`, `speaking`, `conversation_client`, `leases`, `ownership`,
`journal`. `answering` and `listening` are the two sides of the talk, `call` joins everything,
`calls` keeps the calls of the pod. Doors: `listener` (media), `app` on `control` (HTTP), `access`,
`websocket_auth`.
"""
