"""session-store: keeps what outlives a pod.

Owns: sessions, their journals (append-only; history and context are projections of them), the
verified record, and who owns a call. The keys of a session share one hash tag and one expiry, and
each RPC is one script in one round trip to Redis.
Calls: Redis (through `memory.hotstore`), the archive (a file, or Cosmos DB through `meshkit.cosmos`),
and nothing else of the mesh.
Never: hears or speaks, decides what an agent may do, keeps state in its own memory. Any replica
answers any request; killing one loses nothing.

Read `records` for what Redis holds, `changes` for what a caller may write, `projection` for how a
history is made, `scripts/` for what happens in one step, `store` for the operations, `servicer_*`
for the wire, `archiver` for what becomes of sessions that are over, `erasure` for forgetting people.
"""
