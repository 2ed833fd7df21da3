"""tool-executor: runs the tools that agents may call, under the policy declared beside each.

Owns: the registry of tools, what is running and what came out on this pod, and the proof that a
caller gave (it alone writes the verified record).
Calls: the session-store (verified records, claims on runs), the embeddings endpoint, and what its
tools call.
Never: talks to the model, to ACS or to a caller; trusts an argument for who the caller is; lets a
code, a secret or a full account number into an outcome.

`policy` decides, and is pure. `execution` is the order of things in one run: `runs` keeps a run
once by its request_id on this pod and `claims` in the mesh, `steering` stops it and hears of its
progress, `verified` reads and writes what was proved, `ledger` counts, `running` holds
a body to its deadline, `outcomes` bounds what comes out, `audit` writes down how it was decided.
`tools` is the one list of tools; `customers`, `knowledge` and `embeddings` are what they work on.
"""

import os

# Read when numpy is imported: one thread is enough for a search, and more would fight for the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
