"""The nodes: each reads the state, asks at most one agent, and returns the changes of the state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import Brief, Wording
from route_sql.agents.call import Reply, ask, can_sample, wording_of
from route_sql.agents.examples import worked_examples
from route_sql.agents.prompts import Prompts
from route_sql.graph.attempting import attempted
from route_sql.graph.audit import Audit
from route_sql.graph.budget import Update, in_time, is_out_of_time, out_of_time
from route_sql.graph.checks import finding
from route_sql.graph.choices import choices_of, rights_in
from route_sql.graph.confidence import Calibration
from route_sql.graph.context import Context, context_of_first
from route_sql.graph.doubts import doubts_of
from route_sql.graph.executing import Execution, candidate_of, proposed
from route_sql.graph.executor import Executor
from route_sql.graph.extensions import Extension
from route_sql.graph.grounding import Ground, gather_ground, question_of
from route_sql.graph.ledger import asked, calls_of, cut_replies, scores_of
from route_sql.graph.schemas import Schemas
from route_sql.graph.selection import attempts, leading
from route_sql.graph.state import VERSION, Attempt, Begin, Change, Proposal, State, TokenScores
from route_sql.graph.state_versions import StoredState, without_old_keys
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, Status, failed, ran
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.joins.repair import repair_joins
from route_sql.tools.sql.usage import misplaced_columns, tables_and_columns


@dataclass(frozen=True)
class Nodes:
    """The nodes, and the objects they work with: the arguments of `build_graph`."""

    model: BaseChatModel
    catalog: Catalog
    schemas: Schemas
    wording: Wording | None
    """None for the wording that the model, or its server, names."""
    calibration: Calibration | None
    """None for a model without one."""
    executor: Executor
    context_tools: Sequence[BaseTool | Extension]
    checks: Sequence[Extension]
    query_checks: Sequence[Extension]
    audit: Audit
    prompts: Prompts

    async def ground(self, state: StoredState, runtime: Runtime[Context]) -> Update:
        """Gather notes, cut a schema that no prompt can hold, and write the run's choices into the state."""
        question, context = question_of(state), context_of_first(runtime)
        began = monotonic()
        gathering = gather_ground(question, self.catalog, self.schemas, self.context_tools, context)
        ground = await in_time(gathering, context.seconds) or Ground(notes=[], shown=None, remarks=[])
        enough = self.calibration.enough if self.calibration else 1.0
        return {
            **without_old_keys(state),
            **_begun(),
            "choices": choices_of(context, can_sample=can_sample(self.model), enough=enough),
            "question_evidence": question["evidence"],
            "context_notes": ground.notes,
            "shown_schema": ground.shown,
            "notes": Begin(begin=ground.remarks),
            **({} if context.seconds is None else {"spent": Begin(begin=[monotonic() - began])}),
        }

    async def link_schema(self, state: State) -> Update:
        """Ask the schema linker which part of the schema the question needs."""
        brief = await self._brief(state)
        messages = self.prompts.link_schema(brief)
        reply = await self._ask(state, messages)
        linked = schema_linker.parse(reply.text, brief.schema)
        return {"linked": linked, **asked("link_schema", state, messages, reply)}

    async def draft(self, state: State) -> Update:
        """Ask the generator on the full schema; the draft's tables and columns join the link."""
        brief = await self._brief(state)
        messages = self.prompts.generate(brief)
        reply = await self._ask(state, messages)
        sql = generator.parse(reply.text, brief.schema.dialect)
        used = union(tables_and_columns(sql, brief.schema), misplaced_columns(sql, brief.schema)) if sql else {}
        proposal = proposed("draft", sql, scores=scores_of(reply))
        return {"drafted": used, "proposal": proposal, **asked("draft", state, messages, reply)}

    async def generate(self, state: State) -> Update:
        """Ask the generator on the union of the two links, or on the full schema; each further call is a sample."""
        brief = await self._brief(state)
        link = union(state.get("linked", {}), state.get("drafted", {}))
        linked = replace(brief, schema=brief.schema.restrict(link)) if link else brief
        before = calls_of("generate", state)
        messages = self.prompts.generate(linked)
        reply = await self._ask(state, messages, sample=before or None)
        sql = generator.parse(reply.text, brief.schema.dialect)
        # The first may repeat the draft, since that is agreement; a sample may not.
        scores = scores_of(reply)
        proposal = _new("generate", sql, state, scores) if before else proposed("generate", sql, scores=scores)
        return {"proposal": proposal, **asked("generate", state, messages, reply)}

    async def execute(self, state: State) -> Update:
        """Run the newest candidate, if there is one that has not run yet, and look for reasons to doubt it."""
        proposal = state.get("proposal")
        if proposal is None:
            return {}
        execution = Execution(self.executor, self.query_checks, self.audit, self.catalog, state)
        proposal, outcome = await execution.run(proposal)
        schema = await self._whole_schema(state)
        update = await attempted(state, proposal, outcome, schema, self.checks, self.calibration)
        return {"proposal": None, **update}

    async def complete_joins(self, state: State) -> Update:
        """Repair the joins of the newest candidate, which is doubted, along the keys; asks no model."""
        if not (tried := attempts(state)):
            return {}
        schema = await self._whole_schema(state)
        sql = await _repaired(tried[-1], schema)
        used = tables_and_columns(sql, schema) if sql else {}
        return {
            "attempts": Change(at=len(tried) - 1, set={"joins_checked": True}),
            "drafted": union(state.get("drafted", {}), used),
            "proposal": _new("complete_joins", sql, state, tried[-1].get("scores")),
        }

    async def correct_noise(self, state: State) -> Update:
        """Ask the noise corrector for a verdict on the leading candidate."""
        doubted = leading(state)
        if doubted is None:
            return {}
        brief = await self._brief(state)
        found = finding(doubted["complaint"], doubted["outcome"])
        messages = self.prompts.correct_noise(brief, doubted["sql"], found, failed=not ran(doubted["outcome"]))
        reply = await self._ask(state, messages)
        verdict = noise_corrector.parse(reply.text, brief.schema.dialect)
        proposal = _new("correct_noise", verdict.sql if verdict else None, state, scores_of(reply))
        return {"proposal": proposal, **asked("correct_noise", state, messages, reply)}

    async def continue_writing(self, state: State) -> Update:
        """Ask the continuation writer to continue the longest valid prefix of the leading candidate."""
        brief = await self._brief(state)
        failing = leading(state)
        prefix = continuable_prefix(failing["sql"], brief.schema) if failing else "SELECT"
        messages = self.prompts.continue_writing(brief, prefix)
        reply = await self._ask(state, messages)
        sql = continuation_writer.parse(reply.text, prefix, brief.schema.dialect)
        proposal = _new("continue_writing", sql, state, scores_of(reply))
        return {"proposal": proposal, **asked("continue_writing", state, messages, reply)}

    async def answer(self, state: State) -> Update:
        """Pick the candidate and close the ledger."""
        chosen = leading(state)
        cut = cut_replies(state.get("ledger", []))
        late = [out_of_time(state)] if is_out_of_time(state) else []
        no_sql = "No agent had written SQL." if late else "The model wrote no SQL that could be read."
        nothing = failed("timeout" if late else "error", " ".join([*late, no_sql, *cut]))
        result = _result(chosen["outcome"] if chosen else nothing, state["choices"]["row_limit"])
        return {
            "sql": chosen["sql"] if chosen else None,
            **result,
            **_judged(state, result["status"]),
            "notes": [*late, *cut],
            "candidates": [candidate_of(attempt) for attempt in attempts(state)],
        }

    async def _ask(self, state: State, messages: Sequence[BaseMessage], sample: int | None = None) -> Reply:
        return await ask(self.model, messages, sample=sample, max_tokens=state["choices"]["max_tokens"])

    async def _whole_schema(self, state: State, *, asks_again: bool = False) -> Schema:
        schema_of = self.schemas.now if asks_again else self.schemas.recent
        schema = await schema_of(state["database"], rights_in(state["choices"]))
        dialect = state["choices"]["dialect"]
        return replace(schema, dialect=dialect) if dialect else schema

    async def _brief(self, state: State) -> Brief:
        # A query has run since `ground`: no model is asked about a database that may be gone.
        schema = await self._whole_schema(state, asks_again=bool(attempts(state)))
        notes, evidence = tuple(state.get("context_notes", [])), state.get("question_evidence", "")
        if shown := state.get("shown_schema"):
            # The rest of a schema that was cut may still have samples and comments beyond the budget.
            part, budget = schema.restrict(shown), state["choices"]["schema_chars"]
            schema, _ = await asyncio.to_thread(reduce_schema, part, state["question"], budget, (*notes, evidence))
        wording = self.wording or await wording_of(self.model)
        return Brief(
            question=state["question"],
            schema=schema,
            evidence=evidence,
            notes=notes,
            wording=wording,
            examples=worked_examples(wording, schema.dialect),
        )


def _begun() -> Update:
    """The update with which a question begins: nothing is left of the thread's last question."""
    lists: Update = {name: Begin(begin=[]) for name in ("attempts", "ledger", "transcript")}
    nothing: Update = {"candidates": [], "linked": {}, "drafted": {}, "proposal": None, "assessment": None}
    return {"version": VERSION, **lists, **nothing}


async def _repaired(attempt: Attempt, schema: Schema) -> str | None:
    """The SQL with repaired joins: `execute` keeps it for doubted joins; for other candidates it is computed here."""
    if "repaired" in attempt:
        return attempt["repaired"]
    repair = await asyncio.to_thread(repair_joins, attempt["sql"], schema, attempt["outcome"]["status"])
    return repair.sql


def _new(agent: str, sql: str | None, state: State, scores: TokenScores | None) -> Proposal | None:
    """A proposal, unless it only repeats a candidate: running it again would count as agreement."""
    return proposed(agent, sql, [attempt["sql"] for attempt in attempts(state)], scores)


def _judged(state: State, status: Status) -> Update:
    """The answer's confidence and doubts; a result that is not sure enough for the caller is `unsure`."""
    assessment = state.get("assessment")
    confidence = assessment["confidence"] if assessment else 0.0
    is_unsure = status in ("ok", "empty") and confidence < state["choices"]["min_confidence"]
    return {
        "status": "unsure" if is_unsure else status,
        "confidence": confidence,
        "calibrated": assessment is not None and assessment["calibrated"],
        "doubts": doubts_of(state),
    }


def _result(outcome: Outcome, row_limit: int | None) -> Update:
    rows = outcome["rows"][:row_limit]
    return {
        "status": outcome["status"],
        "columns": outcome["columns"],
        "rows": rows,
        "row_count": outcome["row_count"],
        "truncated": outcome["truncated"] or len(rows) < outcome["row_count"],
        "error": outcome["error"],
    }
