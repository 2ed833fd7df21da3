"""Hot state: the connection to Redis, and what is built on it for whoever needs no service.

`hotstore` with `scripts` and `subscriptions` talks the Redis protocol, `embedded` starts a real server
on one machine. `azure_redis` with `entra` is Azure's Redis by host and credential; `memo` with
`memo_store` is an agent's memory of a session. This is the only package that imports redis; what a
call keeps, under which keys and rules, is the session-store's.
"""
