"""The nodes: each reads the state, asks at most one agent, and returns the changes of the state."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langgraph.runtime import Runtime

from route_sql.agents import continuation_writer, generator, noise_corrector, schema_linker
from route_sql.agents.brief import QUESTION_CHARS, Brief, Wording
from route_sql.agents.call import FOR_PEOPLE, FOR_PROGRAMS, Reply, ask_model, can_sample, settings_of, wording_of
from route_sql.agents.examples import worked_examples
from route_sql.agents.prompts import Prompts
from route_sql.agents.samples import ask_for_samples, completions_at_once
from route_sql.graph.answerable import is_withheld, judge_answerable
from route_sql.graph.answers.answering import answered
from route_sql.graph.answers.attempting import attempted, repaired
from route_sql.graph.answers.results import kept_rows
from route_sql.graph.answers.sampling import Counting, Drawing, wait_to_be_counted
from route_sql.graph.calls.budget import Update, in_time, unspent
from route_sql.graph.calls.exchanges import keep
from route_sql.graph.calls.ledger import calls_of, entry, scores_of
from route_sql.graph.checks import finding
from route_sql.graph.confidence import UNCALIBRATED, Calibration, calibration_in_run, find_calibration
from route_sql.graph.context import Context, authenticated_user
from route_sql.graph.events import add_event
from route_sql.graph.executing import Execution, candidate_of, proposed, proposed_once
from route_sql.graph.extensions.audit import Audit
from route_sql.graph.extensions.executor import Executor
from route_sql.graph.extensions.extension import Extension
from route_sql.graph.fields.channels import Begin, Change
from route_sql.graph.fields.decisions import Point
from route_sql.graph.fields.run_choices import Choices
from route_sql.graph.grounding import Ground, fitting_schema, gather_ground, ground_of_own_query, question_of
from route_sql.graph.person.clarifying import clarified, unclear_points
from route_sql.graph.schemas import Schemas, is_small
from route_sql.graph.selection import attempts, leading, newest_rejected
from route_sql.graph.state import AnsweredQuestion, NoAnswer, Question, State
from route_sql.graph.threads.choices import choices_of, rights_in
from route_sql.graph.threads.first_context import context_of_first
from route_sql.graph.threads.linked_parts import linked_part, restricted
from route_sql.graph.threads.memory import as_evidence, earlier_turn, evidence_in, follow_up_notes
from route_sql.graph.threads.state_versions import StoredState, without_old_keys
from route_sql.graph.watching.spans import chat_span
from route_sql.tools.database.catalog import Catalog
from route_sql.tools.database.outcome import ran
from route_sql.tools.schema.links import union
from route_sql.tools.schema.records import Schema
from route_sql.tools.sql.continuation import continuable_prefix
from route_sql.tools.sql.usage import misplaced_columns, tables_and_columns
from route_sql.tools.values.find_values import ValueIndexes


@dataclass(frozen=True)
class Nodes:
    """The nodes, and the objects they work with: the arguments of `build_graph`."""

    model: BaseChatModel
    catalog: Catalog
    schemas: Schemas
    wording: Wording | None
    """None for the wording that the model, or its server, names."""
    calibration: Calibration | None
    """None for that of the model, or of its server's name for the model."""
    executor: Executor
    context_tools: Sequence[BaseTool | Extension]
    checks: Sequence[Extension]
    query_checks: Sequence[Extension]
    audit: Audit
    prompts: Prompts
    indexes: ValueIndexes
    """Value indexes of the databases."""
    trace_content: bool = False
    """Whether traces hold prompts, replies, rows and literals."""

    async def ground(self, state: StoredState, *, runtime: Runtime[Context]) -> Update:
        """Gather notes, cut a schema that no prompt can hold, and write the run's choices into the state."""
        asked, context, began = question_of(state), await context_of_first(runtime), monotonic()
        gathered = await in_time(partial(self._gathered, state, asked, context, began), context.seconds)
        ground, earlier = gathered or (Ground(notes=[], shown=None, remarks=[]), None)
        found: Update = {
            "question_evidence": asked["evidence"],
            "earlier_turn": earlier,
            "context_notes": ground.notes,
            "shown_schema": ground.shown,
            "unclear": [] if state.get("proposal") else await self._unclear(asked, context, began),
        }
        notes = [*follow_up_notes(earlier), *ground.remarks]
        return {
            **without_old_keys(state),
            # Each value that is left out makes all later checkpoints smaller.
            **{name: value for name, value in found.items() if value},
            "choices": await self._choices(state, context, began),
            # A run from an edited checkpoint may have notes already.
            **({"notes": Begin(begin=notes)} if notes or state.get("notes") else {}),
            **({} if context.seconds is None else {"spent": Begin(begin=[monotonic() - began])}),
        }

    async def _choices(self, state: State, context: Context, began: float) -> Choices:
        """The run's choices, with the limits of the model's calibration and the user who asked."""
        find = partial(find_calibration, self.model, self.calibration, state)
        fitted = await in_time(find, unspent(context.seconds, began))
        # Another user may resume the run later.
        asked = replace(context, asked_by=context.asked_by or authenticated_user())
        return choices_of(asked, can_sample=can_sample(self.model), **(fitted or UNCALIBRATED).choices)

    async def clarify(self, state: State) -> Update:
        """Ask a person what the question means; the answer is evidence for the agents, or picks a candidate."""
        return await clarified(state)

    async def link_schema(self, state: State) -> Update:
        """Ask the schema linker which part of the schema the question needs."""
        brief = await self._brief(state)
        messages = self.prompts.link_schema(brief)
        reply = await self._ask(state, messages, tag=FOR_PROGRAMS)
        linked = schema_linker.parse(reply.text, brief.schema)
        add_event("link", f"linked {len(linked)} of {len(brief.schema.tables)} tables")
        return {"linked": linked, "ledger": [entry("link_schema", reply)]}

    async def draft(self, state: State) -> Update:
        """Ask the generator on the full schema; the draft's tables and columns join the link."""
        brief = await self._brief(state)
        messages = self.prompts.generate(brief)
        reply = await self._ask(state, messages)
        sql = generator.parse(reply.text, brief.schema.dialect)
        used = union(tables_and_columns(sql, brief.schema), misplaced_columns(sql, brief.schema)) if sql else {}
        judged = await self._answerable(state, reply, sql)
        withheld = is_withheld({**state, "no_answer": judged})
        proposal = None if withheld else proposed("draft", sql, scores_of(reply))
        return {"drafted": used, "proposal": proposal, "no_answer": judged, "ledger": [entry("draft", reply)]}

    async def generate(self, state: State) -> Update:
        """Ask the generator on the union of both links, or on the full schema; each further call draws a sample."""
        brief = await self._brief(state)
        before = calls_of("generate", state)
        messages = self.prompts.generate(restricted(brief, linked_part(state, brief.schema)))
        reply = await self._ask(state, messages, sample=before or None)
        sql = generator.parse(reply.text, brief.schema.dialect)
        # The first may repeat the draft, which counts as agreement; a sample may not.
        tried = attempts(state) if before else ()
        proposal = proposed_once("generate", sql, scores_of(reply), tried, brief.schema.dialect)
        judged = state.get("no_answer") or await self._answerable(state, reply, sql)
        return {"proposal": proposal, "no_answer": judged, "ledger": [entry("generate", reply)]}

    async def sample(self, state: State) -> Update:
        """Draw samples from the generator: half of them on the whole schema, half on the linked part of it."""
        brief = await self._brief(state)
        part = linked_part(state, brief.schema)
        full, linked = (self.prompts.generate(each) for each in (brief, restricted(brief, part)))
        ask_samples = partial(self._ask_samples, state)
        drawing = Drawing(ask_samples, brief.schema.dialect, completions_at_once(self.model))
        return await drawing.draw(full, linked, state)

    async def execute(self, state: State) -> Update:
        """Run the newest candidate, or the samples, if they have not run yet, and look for reasons to doubt them."""
        proposal, calibration = state.get("proposal"), await self._calibration(state)
        if wait_to_be_counted(state):
            counting = Counting(self._execution(state), await self._whole_schema(state), self.checks, state)
            return await counting.count(calibration)
        if proposal is None:
            return {}
        run = await self._execution(state).run(proposal)
        update = await attempted(state, run, await self._whole_schema(state), self.checks, calibration)
        candidates = [candidate_of(each) for each in (*attempts(state), *update["attempts"])]
        return {"proposal": None, **update, "candidates": candidates}

    async def complete_joins(self, state: State) -> Update:
        """Repair the joins of the newest candidate, which is doubted, along the keys; asks no model."""
        if not (tried := attempts(state)):
            return {}
        schema = await self._whole_schema(state)
        sql = await repaired(tried[-1], schema)
        used = tables_and_columns(sql, schema) if sql else {}
        return {
            "attempts": Change(at=len(tried) - 1, set={"joins_checked": True}),
            "drafted": union(state.get("drafted", {}), used),
            "proposal": proposed_once("complete_joins", sql, tried[-1].get("scores"), tried, schema.dialect),
        }

    async def correct_noise(self, state: State) -> Update:
        """Ask the noise corrector for a verdict on the leading candidate, or on one that a person rejected."""
        doubted = newest_rejected(state) or leading(state)
        if doubted is None:
            return {}
        brief = await self._brief(state)
        found = finding(doubted["complaint"], {**doubted["outcome"], "rows": kept_rows(doubted, state) or []})
        messages = self.prompts.correct_noise(brief, doubted["sql"], found, failed=not ran(doubted["outcome"]))
        reply = await self._ask(state, messages, tag=FOR_PROGRAMS)
        verdict = noise_corrector.parse(reply.text, brief.schema.dialect)
        given = verdict.sql if verdict else None, scores_of(reply), attempts(state), brief.schema.dialect
        proposal = proposed_once("correct_noise", *given)
        update: Update = {"proposal": proposal, "ledger": [entry("correct_noise", reply)]}
        if doubted.get("decision") == "rejected":
            update["attempts"] = Change(at=len(attempts(state)) - 1, set={"corrected": True})
        return update

    async def continue_writing(self, state: State) -> Update:
        """Ask the continuation writer to continue the longest valid prefix of the leading candidate."""
        brief = await self._brief(state)
        failing = leading(state)
        prefix = await asyncio.to_thread(continuable_prefix, failing["sql"], brief.schema) if failing else "SELECT"
        messages = self.prompts.continue_writing(brief, prefix)
        reply = await self._ask(state, messages)
        sql = continuation_writer.parse(reply.text, prefix, brief.schema.dialect)
        proposal = proposed_once("continue_writing", sql, scores_of(reply), attempts(state), brief.schema.dialect)
        return {"proposal": proposal, "ledger": [entry("continue_writing", reply)]}

    async def answer(self, state: State) -> Update:
        """Pick the candidate and close the ledger."""
        return await answered(state, self._execution(state), partial(self._whole_schema, state), self.checks)

    def _execution(self, state: State) -> Execution:
        traced = self.trace_content
        return Execution(self.executor, self.query_checks, self.audit, self.catalog, state, traced, self.schemas)

    async def _gathered(
        self, state: State, asked: Question, context: Context, began: float
    ) -> tuple[Ground, AnsweredQuestion | None]:
        """Everything that is known before the agents start, and the earlier turn that the question refers to."""
        if state.get("proposal"):
            return await ground_of_own_query(asked, self.catalog, self.schemas, context.rights), None
        earlier = await earlier_turn(state, asked, self.catalog, context)
        evidence = as_evidence(asked["evidence"], earlier)
        tools = self.context_tools
        return await gather_ground(asked, self.catalog, self.schemas, tools, context, evidence, began=began), earlier

    async def _unclear(self, asked: Question, context: Context, began: float) -> list[Point]:
        """Points to ask the person about; none if they are not found in time."""
        if not context.clarify:
            return []
        work = partial(unclear_points, asked, self.catalog, context.rights, self.indexes)
        return await in_time(work, unspent(context.seconds, began)) or []

    async def _ask(
        self, state: State, messages: Sequence[BaseMessage], *, sample: int | None = None, tag: str = FOR_PEOPLE
    ) -> Reply:
        if not getattr(settings_of(self.model), "is_loaded", True):
            add_event("load", "loading the model")
        limit, database = state["choices"]["max_tokens"], state["database"]
        with chat_span(self.model, messages, has_content=self.trace_content) as span:
            reply = await ask_model(self.model, messages, sample=sample, max_tokens=limit, tag=tag, database=database)
            span.reply(reply)
        keep(messages, reply, sample)
        return reply

    async def _ask_samples(self, state: State, messages: Sequence[BaseMessage], numbers: Sequence[int]) -> list[Reply]:
        """Draw the samples of these numbers by one request."""
        limit, database = state["choices"]["max_tokens"], state["database"]
        with chat_span(self.model, messages, has_content=self.trace_content) as span:
            replies = await ask_for_samples(self.model, messages, numbers, max_tokens=limit, database=database)
            span.reply(*replies)
        for number, reply in zip(numbers, replies, strict=False):
            keep(messages, reply, number, drawn_with=numbers[0] if len(replies) > 1 else None)
        return replies

    async def _calibration(self, state: State) -> Calibration | None:
        return await calibration_in_run(self.model, self.calibration, state)

    async def _answerable(self, state: State, reply: Reply, sql: str | None) -> NoAnswer:
        schema = await self._whole_schema(state)
        given = reply, sql, state, schema, await self._calibration(state)
        # Under load, a trip to a thread costs more than a short question.
        is_short = len(state["question"]) <= QUESTION_CHARS and is_small(schema)
        return judge_answerable(*given) if is_short else await asyncio.to_thread(judge_answerable, *given)

    async def _whole_schema(self, state: State, *, asks_again: bool = False) -> Schema:
        schema_of = self.schemas.now if asks_again else self.schemas.recent
        schema = await schema_of(state["database"], rights_in(state["choices"]))
        dialect = state["choices"]["dialect"]
        return replace(schema, dialect=dialect) if dialect else schema

    async def _brief(self, state: State) -> Brief:
        # The database may be gone since `ground`; then no model is asked.
        schema = await self._whole_schema(state, asks_again=bool(attempts(state)))
        notes, evidence = tuple(state.get("context_notes", [])), evidence_in(state)
        shown, budget = state.get("shown_schema"), state["choices"]["schema_chars"]
        part = schema.restrict(shown) if shown else schema
        schema = await fitting_schema(part, state["question"], (*notes, evidence), budget)
        wording = self.wording or await wording_of(self.model)
        return Brief(
            question=state["question"],
            schema=schema,
            evidence=evidence,
            notes=notes,
            wording=wording,
            examples=worked_examples(wording, schema.dialect),
        )
