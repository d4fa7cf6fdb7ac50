// The thread that the page shows: asks questions, follows their runs, and passes a person's decisions on.

import { call, CallError, stream } from "./client.js";
import { Turn } from "./turn.js";

const UNANSWERED = {
  running: "This question is being worked on, in another window perhaps.",
  stopped: "This question has no answer, since its run was stopped.",
};

/** The questions of one thread. */
export class Conversation {
  #place;
  #announce;
  #changed;
  #ended;
  #turns = [];
  #running = null;
  #shown = 0; // counts what was asked for, so that a thread which comes late does not replace it
  thread = null;

  /** `place` holds the turns; `announce` takes lines for a live region; `changed` is called after each change, `ended`
   * with a turn whose run has ended. */
  constructor({ place, announce, changed, ended }) {
    [this.#place, this.#announce, this.#changed, this.#ended] = [place, announce, changed, ended];
  }

  get isRunning() {
    return this.#running !== null;
  }

  get isEmpty() {
    return this.#turns.length === 0;
  }

  /** Stop the run; the server stops it when the connection ends. */
  stop() {
    this.#running?.abort();
  }

  /** Begin a new thread. */
  clear() {
    this.stop();
    this.#shown++;
    [this.thread, this.#turns] = [null, []];
    this.#place.replaceChildren();
    this.#changed();
  }

  /** Show a thread of the history; null if something else was asked for before it came. */
  async open(thread) {
    this.stop();
    const wanted = ++this.#shown;
    const kept = await call(`v1/threads/${encodeURIComponent(thread)}`);
    if (wanted !== this.#shown) return null;
    this.clear();
    this.thread = thread;
    for (const each of kept.turns) this.#showKept(each, kept.database, each === kept.turns.at(-1));
    this.#changed();
    return kept;
  }

  /** Show a turn of the history; only the last one can still be decided or continued. */
  #showKept({ turn: number, question, answer, interrupt, state }, database, isLast) {
    const turn = this.#add({ question, database, sql: ownQuery(answer) });
    turn.number = number;
    turn.isDone = Boolean(answer || (interrupt && isLast));
    if (answer) this.#showAnswer(turn, answer, false);
    else if (turn.isDone) this.#showDecision(turn, interrupt, false);
    else turn.showProblem(new CallError(state, UNANSWERED[state] ?? UNANSWERED.stopped), isLast ? this.#actions(turn, state) : []);
  }

  /** What can be done about a run without an answer. */
  #actions(turn, state) {
    const again = ["Ask again", () => this.ask(turn.asked)];
    const resume = ["Continue the run", () => this.#resume(turn, { type: "continue", turn: turn.number })];
    if (turn.number === null) return [again];
    return state === "running" ? [this.#reload()] : [again, resume];
  }

  #reload() {
    return ["Load the thread again", () => this.open(this.thread)];
  }

  /** Ask a question, or run a person's own query, for which no model is asked. */
  async ask(asked) {
    if (this.isRunning) return undefined;
    this.#shown++;
    const { question, database, evidence, options, sql } = asked;
    // A thread whose only question broke off has nothing to follow up on.
    if (!this.#turns.some((turn) => turn.isDone)) this.clear();
    this.#turns.at(-1)?.giveUp();
    const turn = this.#add(asked);
    turn.heading.scrollIntoView({ block: "start" });
    const body = sql === undefined ? { question, database, options } : { question, database, sql };
    if (evidence) body.evidence = evidence;
    if (this.thread !== null) body.thread = this.thread;
    return this.#show(turn, await this.#run(turn, sql === undefined ? "v1/ask" : "v1/run", body));
  }

  async #resume(turn, body) {
    const result = await this.#run(turn, `v1/threads/${encodeURIComponent(this.thread)}/resume`, body);
    return this.#show(turn, result);
  }

  /** Follow a run to its end; null if there is no result. */
  async #run(turn, path, body) {
    const controller = new AbortController();
    this.#running = controller;
    turn.begin();
    this.#changed();
    const onEvent = (name, data) => {
      if (name === "thread") this.#begun(turn, data);
      if (name === "story") turn.story.add(data);
    };
    try {
      const result = await stream(path, { body, signal: controller.signal, onEvent });
      this.#begun(turn, result);
      return result;
    } catch (error) {
      turn.showProblem(problemOf(error, controller.signal), turn.isDone ? [this.#reload()] : this.#actions(turn, "stopped"));
      return null;
    } finally {
      if (this.#running === controller) this.#running = null;
      this.#changed();
    }
  }

  /** The server has taken the question and numbered it; another window may ask in the same thread. */
  #begun(turn, taken) {
    this.thread = taken.thread;
    turn.number = taken.turn;
  }

  #add(asked) {
    const turn = new Turn(asked, this.#announce);
    this.#turns.push(turn);
    this.#place.append(turn.element);
    return turn;
  }

  /** Show the end of a run, if it has one. */
  #show(turn, result) {
    if (result !== null) {
      turn.isDone = true;
      if (result.interrupt) this.#showDecision(turn, result.interrupt);
      else this.#showAnswer(turn, result.answer);
    }
    this.#ended(turn);
  }

  #showDecision(turn, interrupt, hasFocus = true) {
    turn.showDecision(interrupt, (body) => this.isRunning || this.#resume(turn, { ...body, interrupt: interrupt.id }), hasFocus);
  }

  #showAnswer(turn, answer, hasFocus = true) {
    const report = `v1/threads/${encodeURIComponent(this.thread)}/report?turn=${turn.number}`;
    const { question, database } = turn;
    turn.showAnswer(answer, { report, hasFocus, runEdited: (sql) => this.ask({ question, database, sql }) });
  }
}

/** The query of an answer that no model has written a query for. */
function ownQuery(answer) {
  const tried = answer?.candidates ?? [];
  return tried.length && tried.every(({ agent }) => agent === "person") ? answer.sql : undefined;
}

function problemOf(error, signal) {
  if (signal.aborted) return new CallError("stopped", "Stopped. The question is still in the field.");
  if (error instanceof CallError) return error;
  throw error;
}
