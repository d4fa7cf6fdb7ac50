"""The nodes: state in, agent, update out. Each takes what its agent needs and returns only what it changes."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import Brief, Wording
from route_sql.agents.call import CUT, Reply, ask, can_sample, wording_of
from route_sql.agents.examples import worked_examples
from route_sql.graph.checks import Check, complaint, finding
from route_sql.graph.choices import choices_of, rights_in
from route_sql.graph.context import Context, context_of, context_of_first
from route_sql.graph.executing import Execution, candidate_of, proposed
from route_sql.graph.grounding import (
    ContextTool,
    askable_schema,
    gather_notes,
    question_of,
    visible,
)
from route_sql.graph.selection import Attempt, attempts, best, newest
from route_sql.graph.state import Begin, LedgerEntry, Proposal, State, calls_of
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, failed
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.hardness import HARD, table_count
from route_sql.tools.sql.joins.repair import repair_joins
from route_sql.tools.sql.usage import misplaced_columns, tables_and_columns

Update = dict[str, Any]

GROWING = ("candidates", "outcomes", "complaints", "ledger")
"""The lists that nodes append to; a thread's next question begins with empty ones."""


@dataclass(frozen=True)
class Nodes:
    """What the nodes work with: the objects that the factory was handed."""

    model: BaseChatModel
    catalog: Catalog
    wording: Wording | None
    """None takes the one that the model, or its server, says it was made for."""
    executor: BaseTool
    context_tools: Sequence[ContextTool]
    checks: Sequence[Check]

    async def ground(self, state: State, runtime: Runtime[Context]) -> Update:
        """Gather the notes of the context tools and the catalog, and cut a schema that no prompt can hold."""
        asked = question_of(state)
        database, hint = asked["database"], asked["evidence"]
        context = context_of_first(runtime)
        rights = context.rights
        schema = await askable_schema(self.catalog, database, rights)
        found, failures = await gather_notes(self.context_tools, asked, rights)
        grounding = [*found, *await self.catalog.notes(database, rights)]
        warnings = await self.catalog.get(database, rights).warnings()
        budget = context.schema_chars
        known = [*grounding, hint]
        shown, cut = await asyncio.to_thread(visible, schema, asked["question"], known, budget)
        nothing_yet: Update = {name: Begin(begin=[]) for name in GROWING}
        nothing_yet |= {"link": {}, "draft_link": {}, "proposal": None, "joins_seen": 0, "hint": hint}
        nothing_yet |= {"can_sample": can_sample(self.model), "choices": choices_of(context)}
        notes = Begin(begin=[*warnings, *failures, *cut])
        return {**nothing_yet, "grounding": grounding, "shown": shown, "notes": notes}

    async def link_schema(self, state: State, runtime: Runtime[Context]) -> Update:
        """Ask the schema linker which part of the schema the question needs."""
        brief = await self._brief(state, runtime)
        reply = await self._ask(runtime, schema_linker.messages(brief))
        return {
            "link": schema_linker.parse(reply.text, brief.schema),
            "ledger": [_entry("link_schema", reply)],
        }

    async def draft(self, state: State, runtime: Runtime[Context]) -> Update:
        """Ask the generator on the full schema; what the draft uses, or takes from the wrong table, joins the link."""
        brief = await self._brief(state, runtime)
        reply = await self._ask(runtime, generator.messages(brief))
        sql = generator.parse(reply.text, brief.schema.dialect)
        used = tables_and_columns(sql, brief.schema) if sql else {}
        meant = misplaced_columns(sql, brief.schema) if sql else {}
        return {
            "draft_link": union(used, meant),
            "proposal": proposed("draft", sql),
            "ledger": [_entry("draft", reply)],
        }

    async def generate(self, state: State, runtime: Runtime[Context]) -> Update:
        """Ask the generator on the union of the two links, or on the full schema; from the second time on by chance."""
        brief = await self._brief(state, runtime)
        link = union(state.get("link", {}), state.get("draft_link", {}))
        linked = replace(brief, schema=brief.schema.restrict(link)) if link else brief
        before = calls_of("generate", state)
        reply = await self._ask(runtime, generator.messages(linked), sample=before or None)
        sql = generator.parse(reply.text, brief.schema.dialect)
        proposal = _new("generate", sql, state) if before else proposed("generate", sql)
        return {"proposal": proposal, "ledger": [_entry("generate", reply)]}

    async def execute(self, state: State, runtime: Runtime[Context]) -> Update:
        """Run the newest candidate, if there is one that has not run yet."""
        proposal = state.get("proposal")
        if proposal is None:
            return {}
        context = context_of(runtime)
        dialect = context.dialect or self.catalog.get(state["database"]).dialect
        execution = Execution(self.executor, self.catalog, state, context)
        proposal, outcome = await execution.run(proposal, dialect)
        schema = await self._whole_schema(state, runtime)
        doubt = await complaint(state["question"], proposal["sql"], outcome, schema, self.checks)
        return {
            "proposal": None,
            "candidates": [candidate_of(proposal, outcome)],
            "outcomes": [{**outcome, "rows": outcome["rows"][: context.row_limit]}],
            "complaints": [doubt],
            "hard": table_count(proposal["sql"], schema) >= HARD,
        }

    async def complete_joins(self, state: State, runtime: Runtime[Context]) -> Update:
        """Mend the joins of the newest candidate, which is doubted, along the keys; asks no model."""
        tried = attempts(state)
        schema = await self._whole_schema(state, runtime)
        newest = tried[-1].candidate["sql"], schema, tried[-1].outcome["status"]
        sql = (await asyncio.to_thread(repair_joins, *newest)).sql
        seen: Update = {"joins_seen": len(tried), "proposal": _new("complete_joins", sql, state)}
        if sql is None:
            return seen
        return {**seen, "draft_link": union(state.get("draft_link", {}), tables_and_columns(sql, schema))}

    async def correct_noise(self, state: State, runtime: Runtime[Context]) -> Update:
        """Ask the noise corrector for a verdict on the leading candidate."""
        brief = await self._brief(state, runtime)
        doubted = self._leading(state, runtime)
        if doubted is None:
            return {}
        told = finding(doubted.complaint, doubted.outcome)
        failed = doubted.outcome["digest"] is None
        messages = noise_corrector.messages(brief, doubted.candidate["sql"], told, failed=failed)
        reply = await self._ask(runtime, messages)
        verdict = noise_corrector.parse(reply.text, brief.schema.dialect)
        sql = verdict.sql if verdict else None
        return {"proposal": _new("correct_noise", sql, state), "ledger": [_entry("correct_noise", reply)]}

    async def continue_writing(self, state: State, runtime: Runtime[Context]) -> Update:
        """Ask the continuation writer to go on from what still stands of the leading candidate."""
        brief = await self._brief(state, runtime)
        leading = self._leading(state, runtime)
        prefix = continuable_prefix(leading.candidate["sql"], brief.schema) if leading else "SELECT"
        messages: list[BaseMessage] = continuation_writer.messages(brief, prefix)
        reply = await self._ask(runtime, messages)
        sql = continuation_writer.parse(reply.text, prefix, brief.schema.dialect)
        return {
            "proposal": _new("continue_writing", sql, state),
            "ledger": [_entry("continue_writing", reply)],
        }

    async def answer(self, state: State, runtime: Runtime[Context]) -> Update:
        """Pick the candidate and close the ledger."""
        chosen = self._leading(state, runtime)
        cut = cut_replies(state.get("ledger", []))
        nothing = failed("error", " ".join(["The model wrote no SQL that could be read.", *cut]))
        sql = chosen.candidate["sql"] if chosen else None
        shown = _shown(chosen.outcome if chosen else nothing, context_of(runtime).row_limit)
        return {"sql": sql, "notes": cut} | shown

    async def _ask(
        self, runtime: Runtime[Context], messages: Sequence[BaseMessage], sample: int | None = None
    ) -> Reply:
        return await ask(self.model, messages, sample=sample, max_tokens=context_of(runtime).max_tokens)

    def _leading(self, state: State, runtime: Runtime[Context]) -> Attempt | None:
        published = context_of(runtime).strategy == "paper"
        return newest(attempts(state)) if published else best(attempts(state))

    async def _whole_schema(self, state: State, runtime: Runtime[Context]) -> Schema:
        context = context_of(runtime)
        schema = await self.catalog.get(state["database"], rights_in(state, context)).schema()
        dialect = context.dialect
        return replace(schema, dialect=dialect) if dialect else schema

    async def _brief(self, state: State, runtime: Runtime[Context]) -> Brief:
        schema = await self._whole_schema(state, runtime)
        notes = tuple(state.get("grounding", []))
        hint = state.get("hint", "")
        if shown := state.get("shown"):
            # What is left of a schema that was cut may still have samples and comments beyond the budget.
            budget = context_of(runtime).schema_chars
            part, known = schema.restrict(shown), (*notes, hint)
            schema, _ = await asyncio.to_thread(reduce_schema, part, state["question"], budget, known)
        wording = self.wording or await wording_of(self.model)
        return Brief(
            question=state["question"],
            schema=schema,
            evidence=hint,
            notes=notes,
            wording=wording,
            examples=worked_examples(wording, schema.dialect),
        )


def _entry(node: str, reply: Reply) -> LedgerEntry:
    return LedgerEntry(
        node=node,
        prompt_tokens=reply.prompt_tokens,
        cached_tokens=reply.cached_tokens,
        completion_tokens=reply.completion_tokens,
        seconds=round(reply.seconds, 3),
        finish_reason=reply.finish_reason,
    )


def cut_replies(ledger: Sequence[LedgerEntry]) -> list[str]:
    """A note if replies ended at their limit of tokens: a model that is cut while it thinks writes no SQL."""
    cut = [entry for entry in ledger if entry.get("finish_reason") == CUT]
    if not cut:
        return []
    longest = max(entry["completion_tokens"] for entry in cut)
    limit = f" ({longest} tokens)" if longest else ""
    count = f"{len(cut)} of {len(ledger)} replies" if len(ledger) > 1 else "The reply"
    was = "was" if len(cut) == 1 else "were"
    return [
        f"{count} {was} cut at the limit of tokens{limit}. "
        "If the model thinks before it answers, raise the limit: --max-tokens, or max_tokens of the model or context."
    ]


def _new(agent: str, sql: str | None, state: State) -> Proposal | None:
    """A proposal, unless it only repeats a candidate: running it again would count as agreement."""
    tried = {candidate["sql"] for candidate in state.get("candidates", [])}
    return proposed(agent, sql, tuple(tried))


def _shown(outcome: Outcome, row_limit: int | None) -> Update:
    rows = outcome["rows"][:row_limit]
    return {
        "status": outcome["status"],
        "columns": outcome["columns"],
        "rows": rows,
        "row_count": outcome["row_count"],
        "truncated": outcome["truncated"] or len(rows) < outcome["row_count"],
        "error": outcome["error"],
    }
