"""vanna 2's agent with its SQL tool. It is given the schema in its system prompt, since by itself it knows no table."""

import asyncio
import sqlite3
import tempfile

from protocol import Answer, Reply, serve
from vanna import Agent, AgentConfig, User
from vanna.core.registry import ToolRegistry
from vanna.core.system_prompt import DefaultSystemPromptBuilder
from vanna.core.user import RequestContext, UserResolver
from vanna.integrations.local import LocalFileSystem
from vanna.integrations.local.agent_memory import DemoAgentMemory
from vanna.integrations.openai import OpenAILlmService
from vanna.integrations.sqlite import SqliteRunner
from vanna.tools import RunSqlTool


class OneUser(UserResolver):
    """The same person always."""

    async def resolve_user(self, request_context: RequestContext) -> User:
        """That person."""
        return User(id="1", username="analyst", group_memberships=["user"])


class WithSchema(DefaultSystemPromptBuilder):
    """Its own system prompt, and the tables."""

    def __init__(self, database: str) -> None:
        """Read the tables."""
        super().__init__()
        with sqlite3.connect(database) as connection:
            found = connection.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND sql IS NOT NULL")
            self._tables = "\n".join(sql for (sql,) in found)
        connection.close()

    async def build_system_prompt(self, user: User, tools: list) -> str:
        """Both."""
        own = await super().build_system_prompt(user, tools)
        return f"{own}\n\nThe database is SQLite and has these tables:\n{self._tables}"


class Noting(SqliteRunner):
    """Its own runner, which notes what it runs."""

    def __init__(self, database: str) -> None:
        """Open as it does."""
        super().__init__(database_path=database)
        self.ran: list[str] = []

    async def run_sql(self, args, context):
        """Note and run."""
        self.ran.append(args.sql)
        return await super().run_sql(args, context)


def prepare(settings: dict[str, str]) -> Answer:
    """A new agent for each question, on its database."""
    model = OpenAILlmService(
        model=settings["model"], api_key=settings["key"], base_url=settings["url"] + "/v1", max_retries=0
    )

    async def answered(question: str, database: str) -> Reply:
        runner, tools = Noting(database), ToolRegistry()
        tools.register_local_tool(RunSqlTool(runner, LocalFileSystem(tempfile.mkdtemp())), access_groups=[])
        agent = Agent(
            llm_service=model,
            tool_registry=tools,
            user_resolver=OneUser(),
            agent_memory=DemoAgentMemory(),
            config=AgentConfig(stream_responses=False, include_thinking_indicators=False, temperature=0.0),
            system_prompt_builder=WithSchema(database),
        )
        parts = [part async for part in agent.send_message(RequestContext(), question)]
        said = [part.simple_component.text for part in parts if getattr(part.simple_component, "text", None)]
        return {"sql": runner.ran[-1] if runner.ran else None, "text": "\n".join(said)[-2000:]}

    return lambda question, database: asyncio.run(answered(question, database))


serve(prepare)
