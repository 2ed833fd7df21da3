"""speech-pool: owns the warm speech clients of its pod.

It grants leases on them (SpeechPoolService) and carries the streams of audio and words through the
leased clients (SpeechService). A lease lives in this process's memory and nowhere else.

It calls: the speech provider, or the engines inside this process; the session-store, where the
provider has limits that the fleet shares (`quotas`).
It never: sees a prompt, a tool or a call; talks to another speech-pool pod; logs what is said.

`ports` is what an engine offers, `engines` are those of the local profile, `providers` chooses one.
`pools` joins the engine's factories to `warmpool`; `leases` and `streams` are the two gRPC services.
"""
