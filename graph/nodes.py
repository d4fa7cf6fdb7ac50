"""The nodes: each reads the state, asks at most one agent, and returns the changes of the state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import Brief, Wording
from route_sql.agents.call import Reply, ask, can_sample, wording_of
from route_sql.agents.examples import worked_examples
from route_sql.graph.channels import Begin
from route_sql.graph.checks import Check, doubt, finding
from route_sql.graph.choices import choices_of, rights_in
from route_sql.graph.confidence import Calibration, assess
from route_sql.graph.context import Context, context_of_first
from route_sql.graph.doubts import doubts_of
from route_sql.graph.executing import Execution, candidate_of, proposed
from route_sql.graph.grounding import ContextTool, gather_ground, question_of
from route_sql.graph.ledger import calls_of, cut_replies, entry, scores_of
from route_sql.graph.reading import Update
from route_sql.graph.results import kept_rows, leading_rows, with_few_rows
from route_sql.graph.selection import attempts, leading
from route_sql.graph.state import Attempt, Change, Proposal, State, TokenScores
from route_sql.graph.state_versions import StoredState, without_old_keys
from route_sql.graph.threads import as_evidence, earlier_turn, evidence_in, follow_up_notes, turn_of
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import Outcome, Status, failed, ran
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Schema
from route_sql.tools.schema.relevance import reduce_schema
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.hardness import table_count
from route_sql.tools.sql.joins.repair import repair_joins
from route_sql.tools.sql.usage import misplaced_columns, tables_and_columns


@dataclass(frozen=True)
class Nodes:
    """The nodes, and the objects they work with: the arguments of `build_graph`."""

    model: BaseChatModel
    catalog: Catalog
    wording: Wording | None
    """None for the wording that the model, or its server, names."""
    calibration: Calibration | None
    """None for a model without one."""
    executor: BaseTool
    context_tools: Sequence[ContextTool]
    checks: Sequence[Check]

    async def ground(self, state: StoredState, *, runtime: Runtime[Context]) -> Update:
        """Gather notes, cut a schema that no prompt can hold, and write the run's choices into the state."""
        asked, context = question_of(state), context_of_first(runtime)
        earlier = await earlier_turn(state, asked, self.catalog, context)
        evidence = as_evidence(asked["evidence"], earlier)
        ground = await gather_ground(asked, self.catalog, self.context_tools, context, evidence)
        enough = self.calibration.enough if self.calibration else 1.0
        found: Update = {
            "question_evidence": asked["evidence"],
            "earlier_turn": earlier,
            "context_notes": ground.notes,
            "shown_schema": ground.shown,
        }
        return {
            **without_old_keys(state),
            # What a checkpoint does not hold costs nothing at each later step.
            **{name: value for name, value in found.items() if value},
            "choices": choices_of(context, can_sample=can_sample(self.model), enough=enough),
            "notes": Begin(begin=[*follow_up_notes(earlier), *ground.remarks]),
        }

    async def link_schema(self, state: State) -> Update:
        """Ask the schema linker which part of the schema the question needs."""
        brief = await self._brief(state)
        reply = await self._ask(state, schema_linker.messages(brief))
        return {"linked": schema_linker.parse(reply.text, brief.schema), "ledger": [entry("link_schema", reply)]}

    async def draft(self, state: State) -> Update:
        """Ask the generator on the full schema; the draft's tables and columns join the link."""
        brief = await self._brief(state)
        reply = await self._ask(state, generator.messages(brief))
        sql = generator.parse(reply.text, brief.schema.dialect)
        used = union(tables_and_columns(sql, brief.schema), misplaced_columns(sql, brief.schema)) if sql else {}
        proposal = proposed("draft", sql, scores=scores_of(reply))
        return {"drafted": used, "proposal": proposal, "ledger": [entry("draft", reply)]}

    async def generate(self, state: State) -> Update:
        """Ask the generator on the union of the two links, or on the full schema; each further call is a sample."""
        brief = await self._brief(state)
        link = union(state.get("linked", {}), state.get("drafted", {}))
        linked = replace(brief, schema=brief.schema.restrict(link)) if link else brief
        before = calls_of("generate", state)
        reply = await self._ask(state, generator.messages(linked), sample=before or None)
        sql = generator.parse(reply.text, brief.schema.dialect)
        # The first may repeat the draft, since that is agreement; a sample may not.
        scores = scores_of(reply)
        proposal = _new("generate", sql, state, scores) if before else proposed("generate", sql, scores=scores)
        return {"proposal": proposal, "ledger": [entry("generate", reply)]}

    async def execute(self, state: State) -> Update:
        """Run the newest candidate, if there is one that has not run yet, and look for reasons to doubt it."""
        proposal = state.get("proposal")
        if proposal is None:
            return {}
        proposal, outcome = await Execution(self.executor, self.catalog, state).run(proposal)
        schema = await self._whole_schema(state)
        found = await doubt(state["question"], proposal["sql"], outcome, schema, self.checks)
        attempt = Attempt(
            agent=proposal["agent"],
            sql=proposal["sql"],
            outcome=with_few_rows({**outcome, "rows": outcome["rows"][: state["choices"]["row_limit"]]}),
            complaint=found.complaint,
            tables=table_count(proposal["sql"], schema),
            scores=proposal.get("scores"),
        )
        if outcome["status"] == "ok":
            attempt["repaired"] = found.sql
        now: State = {**state, "attempts": [*attempts(state), attempt]}
        assessment = await asyncio.to_thread(assess, now, schema, self.calibration)
        rows = leading_rows(now, outcome["rows"][: state["choices"]["row_limit"]])
        return {"proposal": None, "attempts": [attempt], "assessment": assessment, **rows}

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
        rows = kept_rows(doubted, state)
        found = finding(doubted["complaint"], {**doubted["outcome"], "rows": rows or []})
        messages = noise_corrector.messages(brief, doubted["sql"], found, failed=not ran(doubted["outcome"]))
        reply = await self._ask(state, messages)
        verdict = noise_corrector.parse(reply.text, brief.schema.dialect)
        proposal = _new("correct_noise", verdict.sql if verdict else None, state, scores_of(reply))
        return {"proposal": proposal, "ledger": [entry("correct_noise", reply)]}

    async def continue_writing(self, state: State) -> Update:
        """Ask the continuation writer to continue the longest valid prefix of the leading candidate."""
        brief = await self._brief(state)
        failing = leading(state)
        prefix = continuable_prefix(failing["sql"], brief.schema) if failing else "SELECT"
        reply = await self._ask(state, continuation_writer.messages(brief, prefix))
        sql = continuation_writer.parse(reply.text, prefix, brief.schema.dialect)
        proposal = _new("continue_writing", sql, state, scores_of(reply))
        return {"proposal": proposal, "ledger": [entry("continue_writing", reply)]}

    async def answer(self, state: State) -> Update:
        """Pick the candidate and close the ledger."""
        chosen = leading(state)
        cut = cut_replies(state.get("ledger", []))
        nothing = failed("error", " ".join(["The model wrote no SQL that could be read.", *cut]))
        outcome = await self._whole_outcome(chosen, state) if chosen else nothing
        result = _result(outcome, state)
        candidates = [candidate_of(attempt) for attempt in attempts(state)]
        sql = chosen["sql"] if chosen else None
        told = {**_judged(state, result["status"]), "notes": cut, "candidates": candidates}
        return {"sql": sql, **_turn(state, sql, outcome), **result, **told}

    async def _whole_outcome(self, chosen: Attempt, state: State) -> Outcome:
        """The outcome with all of its rows; where the state does not hold them, the query runs again."""
        rows = kept_rows(chosen, state)
        if rows is not None:
            return {**chosen["outcome"], "rows": rows}
        _, outcome = await Execution(self.executor, self.catalog, state).run(
            Proposal(agent=chosen["agent"], sql=chosen["sql"])
        )
        return outcome

    async def _ask(self, state: State, messages: Sequence[BaseMessage], sample: int | None = None) -> Reply:
        return await ask(self.model, messages, sample=sample, max_tokens=state["choices"]["max_tokens"])

    async def _whole_schema(self, state: State) -> Schema:
        schema = await self.catalog.get(state["database"], rights_in(state["choices"])).schema()
        dialect = state["choices"]["dialect"]
        return replace(schema, dialect=dialect) if dialect else schema

    async def _brief(self, state: State) -> Brief:
        schema = await self._whole_schema(state)
        notes, evidence = tuple(state.get("context_notes", [])), evidence_in(state)
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


def _turn(state: State, sql: str | None, outcome: Outcome) -> Update:
    """The turn that the thread keeps; an answer that did not run leaves the one before."""
    if sql is None or not ran(outcome):
        return {}
    rights = state["choices"]["rights"]
    return {"last_turn": turn_of(state["question"], state["database"], sql, outcome["columns"], rights)}


def _result(outcome: Outcome, state: State) -> Update:
    rows = outcome["rows"][: state["choices"]["row_limit"]]
    result: Update = {
        "status": outcome["status"],
        "columns": outcome["columns"],
        "row_count": outcome["row_count"],
        "truncated": outcome["truncated"] or len(rows) < outcome["row_count"],
        "error": outcome["error"],
    }
    # Rows that the state holds already are not stored again.
    return result if rows == state.get("rows") else {**result, "rows": rows}
