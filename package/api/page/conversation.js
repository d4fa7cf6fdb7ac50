// The thread that the page shows: asks questions, follows their runs, and passes a person's decisions on.

import { call, CallError, stream } from "./client.js";
import { Turn } from "./turn.js";

/** Options of a run whose first query is replaced by a person's own. */
const OWN_QUERY = { approve: true, clarify: false, strategy: "single", withhold: false };

/** The questions of one thread. */
export class Conversation {
  #place;
  #announce;
  #changed;
  #turns = [];
  #running = null;
  thread = null;

  /** `place` holds the turns; `announce` takes lines for a live region; `changed` is called after each change. */
  constructor({ place, announce, changed }) {
    [this.#place, this.#announce, this.#changed] = [place, announce, changed];
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
    [this.thread, this.#turns] = [null, []];
    this.#place.replaceChildren();
    this.#changed();
  }

  /** Show a thread of the history. */
  async open(thread) {
    this.stop();
    const kept = await call(`v1/threads/${encodeURIComponent(thread)}`);
    this.clear();
    this.thread = thread;
    for (const { question, answer, interrupt, state } of kept.turns) {
      const turn = this.#add({ question, database: kept.database });
      if (answer || interrupt) this.#show(turn, { answer, interrupt }, false);
      else turn.showProblem(new CallError(state, "This question has no answer: its run was stopped. Ask it again."));
    }
    this.#changed();
    return kept;
  }

  /** Ask a question; whether it was answered, or waits for a decision. */
  async ask({ question, database, evidence, options, sql }) {
    if (this.isRunning) return false;
    // A thread whose only question broke off has nothing to follow up on.
    if (!this.#turns.some((turn) => turn.isDone)) this.clear();
    const turn = this.#add({ question, database, isEdited: sql !== undefined });
    turn.heading.scrollIntoView({ block: "start" });
    const body = { question, database, options: { ...options, ...(sql === undefined ? {} : OWN_QUERY) } };
    if (evidence) body.evidence = evidence;
    if (this.thread !== null) body.thread = this.thread;
    const again = [["Ask again", () => this.ask({ question, database, evidence, options, sql })]];
    const result = await this.#run(turn, "v1/ask", body, again);
    if (result?.interrupt?.kind === "approve" && sql !== undefined) {
      return this.#resume(turn, { type: "edit", sql });
    }
    return result !== null && this.#show(turn, result);
  }

  async #resume(turn, body) {
    const actions = [["Load the thread again", () => this.open(this.thread)]];
    const result = await this.#run(turn, `v1/threads/${encodeURIComponent(this.thread)}/resume`, body, actions);
    return result !== null && this.#show(turn, result);
  }

  /** Follow a run to its end; null if there is no result. */
  async #run(turn, path, body, actions) {
    const controller = new AbortController();
    this.#running = controller;
    turn.begin();
    this.#changed();
    const onEvent = (name, data) => {
      if (name === "thread") this.thread = data.thread;
      if (name === "story") turn.story.add(data);
    };
    try {
      const result = await stream(path, { body, signal: controller.signal, onEvent });
      this.thread = result.thread;
      turn.isDone = true;
      return result;
    } catch (error) {
      turn.showProblem(problemOf(error, controller.signal), actions);
      return null;
    } finally {
      if (this.#running === controller) this.#running = null;
      this.#changed();
    }
  }

  #add(asked) {
    const turn = new Turn({ ...asked, number: this.#turns.length + 1 }, this.#announce);
    this.#turns.push(turn);
    this.#place.append(turn.element);
    return turn;
  }

  #show(turn, { answer, interrupt }, hasFocus = true) {
    turn.isDone = true;
    if (interrupt) {
      turn.showDecision(interrupt, (body) => this.isRunning || this.#resume(turn, body), hasFocus);
      return true;
    }
    const report = `v1/threads/${encodeURIComponent(this.thread)}/report?turn=${turn.number}`;
    const { question, database } = turn;
    turn.showAnswer(answer, { report, hasFocus, runEdited: (sql) => this.ask({ question, database, sql }) });
    return true;
  }
}

function problemOf(error, signal) {
  if (signal.aborted) return new CallError("stopped", "Stopped. The question is still in the field.");
  if (error instanceof CallError) return error;
  throw error;
}
