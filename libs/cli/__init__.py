"""The `voicemesh` command: run a mesh on this machine, and call it.

`main` is the command line; `mesh`, `process` and `parts` run the processes; `call` places a call,
following the gateway's `events`; `report` is what the terminal shows.
"""
