"""How every service starts, dials, fails, is configured and logs.

`service` and `startup` begin a process, `server` serves and drains, `fleet` with `endpoints` and
`picker` finds and chooses peers, `rpc` and `streams` talk to them, `errors` and `names` are the
words of the wire, `settings`, `logging` and `context` are what every line of the mesh shares.
"""

import os

# gRPC writes notices of its own to standard error, past our logs. Read when grpc is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
