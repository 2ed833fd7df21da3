"""Speech engines that run on this machine: models from wheels or Debian packages, no network.

`local.LocalProvider` is the way in. Each model sits in the one module named after it; what is the
same for all of them (endpointing, streams, phrasing, workers) knows no model. README.md compares
the engines. Leases, pools and gRPC are left to the rest of the service.
"""
