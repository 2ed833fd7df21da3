"""A local stand-in for Azure Communication Services: dials the gateway as ACS does.

`wire` is the JSON of the media WebSocket, `track` what each side heard when, `caller` the call.
It is used by `voicemesh call` and by tests; it is no part of a deployment.
"""
