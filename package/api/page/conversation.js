// The thread that the page shows: asks questions, follows their runs, and passes a person's decisions on.

import { call, CallError, stream } from "./client.js";
import { Turn } from "./turn.js";

/** Options of a run whose first query is replaced by a person's own. */
const OWN_QUERY = { approve: true, clarify: false, strategy: "single", withhold: false };
const NOT_RUN = "Your query was not run: the model wrote none that it could replace.";
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
  #asked = 0;
  #running = null;
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
    [this.thread, this.#turns, this.#asked] = [null, [], 0];
    this.#place.replaceChildren();
    this.#changed();
  }

  /** Show a thread of the history. */
  async open(thread) {
    this.stop();
    const kept = await call(`v1/threads/${encodeURIComponent(thread)}`);
    this.clear();
    this.thread = thread;
    for (const each of kept.turns) this.#showKept(each, kept.database, each === kept.turns.at(-1));
    this.#changed();
    return kept;
  }

  /** Show a turn of the history; only the last one can still be decided or continued. */
  #showKept({ question, answer, interrupt, state }, database, isLast) {
    const turn = this.#add({ question, database });
    turn.number = ++this.#asked;
    turn.isDone = Boolean(answer || (interrupt && isLast));
    if (answer) this.#showAnswer(turn, answer, false);
    else if (turn.isDone) this.#showDecision(turn, interrupt, false);
    else turn.showProblem(new CallError(state, UNANSWERED[state] ?? UNANSWERED.stopped), isLast ? this.#actions(turn, state) : []);
  }

  /** What can be done about a run without an answer. */
  #actions(turn, state) {
    const again = ["Ask again", () => this.ask(turn.asked)];
    const resume = ["Continue the run", () => this.#resume(turn, { type: "continue" })];
    if (turn.number === null) return [again];
    return state === "running" ? [this.#reload()] : [again, resume];
  }

  #reload() {
    return ["Load the thread again", () => this.open(this.thread)];
  }

  /** Ask a question. */
  async ask(asked) {
    if (this.isRunning) return undefined;
    const { question, database, evidence, options, sql } = asked;
    // A thread whose only question broke off has nothing to follow up on.
    if (!this.#turns.some((turn) => turn.isDone)) this.clear();
    this.#turns.at(-1)?.giveUp();
    const turn = this.#add(asked);
    turn.heading.scrollIntoView({ block: "start" });
    const body = { question, database, options: { ...options, ...(sql === undefined ? {} : OWN_QUERY) } };
    if (evidence) body.evidence = evidence;
    if (this.thread !== null) body.thread = this.thread;
    const result = await this.#run(turn, "v1/ask", body);
    return sql === undefined || result === null ? this.#show(turn, result) : this.#replace(turn, result, sql);
  }

  /** Run a person's query in place of the one that waits. */
  #replace(turn, { interrupt }, sql) {
    if (interrupt?.kind === "approve") return this.#resume(turn, { type: "edit", sql });
    turn.showProblem(new CallError("not_run", NOT_RUN), [["Try again", () => this.ask(turn.asked)]]);
    return this.#ended(turn);
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
      if (name === "thread") this.#begun(turn, data.thread);
      if (name === "story") turn.story.add(data);
    };
    try {
      const result = await stream(path, { body, signal: controller.signal, onEvent });
      this.#begun(turn, result.thread);
      return result;
    } catch (error) {
      turn.showProblem(problemOf(error, controller.signal), turn.isDone ? [this.#reload()] : this.#actions(turn, "stopped"));
      return null;
    } finally {
      if (this.#running === controller) this.#running = null;
      this.#changed();
    }
  }

  /** The server has taken the question; it counts the questions of a thread. */
  #begun(turn, thread) {
    this.thread = thread;
    turn.number ??= ++this.#asked;
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
    turn.showDecision(interrupt, (body) => this.isRunning || this.#resume(turn, body), hasFocus);
  }

  #showAnswer(turn, answer, hasFocus = true) {
    const report = `v1/threads/${encodeURIComponent(this.thread)}/report?turn=${turn.number}`;
    const { question, database } = turn;
    turn.showAnswer(answer, { report, hasFocus, runEdited: (sql) => this.ask({ question, database, sql }) });
  }
}

function problemOf(error, signal) {
  if (signal.aborted) return new CallError("stopped", "Stopped. The question is still in the field.");
  if (error instanceof CallError) return error;
  throw error;
}
