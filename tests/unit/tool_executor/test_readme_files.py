"""The policy file and the file of MCP servers that the toolkit's README shows are right."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.policy_call import Bank
from tool_executor.mcp_servers import declared_policy, read_servers
from tool_executor.policy_file import read_policy
from toolkit import Registry, tools_of

README = Path(__file__).parents[3] / "libs" / "toolkit" / "README.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
VARIABLES = {"CRM_AUTHORIZATION": "x", "DESK_TOKEN": "y"}


def test_both_hold_together(tmp_path: Path) -> None:
    policy, servers = (tmp_path / name for name in ("policy.yaml", "mcp.yaml"))
    policy.write_text(BLOCKS[0].replace("refund_fee", "refund"))
    servers.write_text(BLOCKS[1].replace("find_customer", "close_account"))
    declared = read_servers(servers, VARIABLES)
    registry = Registry(tools_of(Bank()))
    named = read_policy(policy).hold(registry, lambda name: declared_policy(declared, name))
    assert named == 3
    assert registry.get("send_card").policy.disabled
    assert registry.get("refund").policy.requires == {"identity", "mfa"}
