"""Hot state: the connection to Redis, and the server that stands in for it on one machine.

`embedded` starts a real Valkey server, `hotstore` with `scripts` talks the Redis protocol. This is
the only package that imports redis; what is kept, under which keys and rules, is the session-store's.
"""
