"""What full telemetry costs our code alone: the strict half of `telemetry_overhead`, which tells how.

A call as shipped costs several times as much as this one, most of it in recogniser and synthesiser,
and has the same telemetry. The exit code is 0 where even this call's goes up by less than 5 %.
"""

from __future__ import annotations

import sys

import uvloop

from tests.load.telemetry_overhead import bench, our_code_alone

if __name__ == "__main__":
    sys.exit(uvloop.run(bench(our_code_alone())))
