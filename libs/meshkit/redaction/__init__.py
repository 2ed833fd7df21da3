"""What people said about themselves, and what opens doors, taken out before a sink sees it.

    redact("call me at 415 555 2671")            -> "call me at [phone]"
    redact_fields({"turn": "t3", "text": "..."})  -> {"turn": "t3", "text": "[withheld]"}

`redact` is for text that programs wrote (messages, causes, tracebacks): ids, addresses, times and
quantities survive. `redact_said` is for what people said or an agent says: any run of four digits
goes. `redact_json` is for JSON that such words went into. `redact_fields` and `redact_attributes`
deny by default: see `meshkit.redaction.fields`. All are pure, synchronous and safe in any thread.
"""

from __future__ import annotations

from meshkit.redaction.fields import redact_attributes, redact_fields
from meshkit.redaction.json_text import names_in_json, redact_json, without_names
from meshkit.redaction.text import redact, redact_said

__all__ = [
    "names_in_json",
    "redact",
    "redact_attributes",
    "redact_fields",
    "redact_json",
    "redact_said",
    "without_names",
]
