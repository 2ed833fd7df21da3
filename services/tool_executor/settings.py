"""What the tool-executor is told."""

from __future__ import annotations

from pydantic import Field, SecretStr

from meshkit.settings import LIVE, MeshSettings, Port, Target


class ToolExecutorSettings(MeshSettings):
    """Settings of a tool-executor pod."""

    grpc_port: Port = Field(50053, description="Port of the gRPC server.")
    session_store_target: Target = Field(
        "static:127.0.0.1:50054", description="Where the session-store is."
    )
    store_seconds: float = Field(
        2.0, gt=0, le=30, description="Seconds that reading or writing a verified record may take."
    )
    claim_seconds: float = Field(
        5.0,
        ge=1,
        le=600,
        description="Seconds after which a claim on a tool run counts as dead if not renewed.",
    )
    claim_wait_seconds: float = Field(
        8.0,
        gt=0,
        le=60,
        description="Seconds that a run on another pod is waited for before the caller asks again.",
    )
    max_runs: int = Field(
        64, ge=1, le=10_000, description="Most tools running at once on this pod."
    )
    kept_outcomes: int = Field(
        4096, ge=1, le=1_000_000, description="Finished runs remembered by their request_id."
    )
    turn_max_runs: int = Field(
        20,
        ge=1,
        le=1000,
        description="Most tools run in one turn of a call.",
        json_schema_extra=LIVE,
    )
    call_max_runs: int = Field(
        500, ge=1, le=100_000, description="Most tools run in one call.", json_schema_extra=LIVE
    )
    audit_folder: str = Field(
        "var/tool-executor/audit",
        description="Folder of the audit log, a file a day; empty: no audit log.",
    )
    audit_days: int = Field(
        90, ge=1, le=3650, description="Days that files of the audit log are kept."
    )
    tools_folder: str = Field(
        "", description="Folder of further tool modules (*.py), read at start; empty: none."
    )
    policy_file: str = Field(
        "",
        description="YAML file that tightens what tools may do; empty: as their authors declare.",
    )
    mcp_servers_file: str = Field(
        "", description="YAML file of the MCP servers whose tools are served; empty: none."
    )
    mcp_start_seconds: float = Field(
        5.0, ge=0, le=60, description="Seconds that the start waits for MCP servers to answer."
    )
    embeddings_base_url: str = Field(
        "http://127.0.0.1:8090/v1", description="OpenAI-compatible endpoint that embeds texts."
    )
    embeddings_model: str = Field(
        "all-MiniLM-L6-v2", description="Model that the embeddings endpoint is asked for."
    )
    embeddings_api_key: SecretStr = Field(
        SecretStr(""), description="Key for the embeddings endpoint; empty: it asks for none."
    )
    embeddings_min_score: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Similarity below which a passage is about something else; it belongs to the"
        " embedding model. Unset: the known value of a known model, otherwise none.",
    )
    embeddings_seconds: float = Field(
        3.0, gt=0, le=60, description="Seconds that embedding a caller's question may take."
    )
    knowledge_folder: str = Field(
        "",
        description="Folder of collections with Markdown files; empty: the shipped corpus, or what the"
        " container of Cosmos DB holds.",
    )
    knowledge_full_text: bool = Field(
        True,
        description="Whether passages that hold the exact terms of a question, such as a product code,"
        " are ranked higher too; of the index in this process.",
    )
    cosmos_endpoint: str = Field(
        "",
        description="Cosmos DB account whose vectors are searched, such as"
        " https://NAME.documents.azure.com; empty: an index in this process.",
    )
    cosmos_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the Cosmos DB account; empty: the identity of the pod is used.",
    )
    cosmos_database: str = Field(
        "voicemesh", description="Database of the knowledge base's container."
    )
    knowledge_container: str = Field(
        "knowledge",
        description="Container of the knowledge base, partitioned by /collection, with a cosine vector"
        " policy for /vector.",
    )
    knowledge_seconds: float = Field(
        3.0, gt=0, le=60, description="Seconds that a search in Cosmos DB may take, with retries."
    )
    data_folder: str = Field(
        "var/tool-executor", description="Folder where the index of the knowledge base is kept."
    )
