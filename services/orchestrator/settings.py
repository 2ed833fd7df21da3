"""What the orchestrator is told."""

from __future__ import annotations

from pydantic import AliasChoices, Field, SecretStr

from meshkit.settings import LIVE, MeshSettings, Port, Target


class OrchestratorSettings(MeshSettings):
    """Settings of an orchestrator pod."""

    grpc_port: Port = Field(50052, description="Port of the gRPC server.")
    session_store_target: Target = Field(
        "static:127.0.0.1:50054", description="Where the session-store is."
    )
    tool_executor_target: Target = Field(
        "static:127.0.0.1:50053", description="Where the tool-executor is."
    )
    agents_dir: str = Field("", description="Folder of agents; empty: those shipped.")
    scenarios_dir: str = Field("", description="Folder of scenarios; empty: those shipped.")
    model_base_url: str = Field(
        "http://127.0.0.1:8090/v1",
        description="Model endpoint that speaks the OpenAI wire; the default is the local planner.",
    )
    model_name: str = Field(
        "local-planner", description="Model or deployment of agents that name none."
    )
    model_api_key: SecretStr = Field(
        SecretStr(""), description="Key of the model endpoint; empty: none is sent."
    )
    azure_openai_endpoint: str = Field(
        "",
        validation_alias=AliasChoices(
            "AZURE_OPENAI_ENDPOINT", "VOICEMESH_AZURE_OPENAI_ENDPOINT", "azure_openai_endpoint"
        ),
        description="Azure OpenAI resource; set, it takes the place of model_base_url.",
    )
    azure_openai_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias=AliasChoices(
            "AZURE_OPENAI_API_KEY", "VOICEMESH_AZURE_OPENAI_API_KEY", "azure_openai_api_key"
        ),
        description="Key of the Azure OpenAI resource; empty: the identity of the pod is used.",
    )
    azure_openai_api_version: str = Field(
        "2024-10-21",
        validation_alias=AliasChoices(
            "AZURE_OPENAI_API_VERSION",
            "VOICEMESH_AZURE_OPENAI_API_VERSION",
            "azure_openai_api_version",
        ),
        description="API version of the Azure OpenAI resource.",
    )
    model_first_token_seconds: float = Field(
        8.0, gt=0, le=120, description="Seconds that the model may take to its first token."
    )
    model_total_seconds: float = Field(
        45.0, gt=0, le=600, description="Seconds that one answer of the model may take."
    )
    tool_seconds: float = Field(
        20.0, gt=0, le=600, description="Seconds that a tool call may take, retries included."
    )
    max_rounds: int = Field(
        5, ge=1, le=20, description="Answers of the model in one turn, tool rounds included."
    )
    max_history_turns: int = Field(
        40, ge=1, le=1000, description="Turns that the model is shown; older ones are left out."
    )
    max_conversations: int = Field(
        500,
        ge=1,
        le=100_000,
        description="Conversations of this pod at a time.",
        json_schema_extra=LIVE,
    )
