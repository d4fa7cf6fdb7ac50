// The history: threads of this caller, newest first, each to be opened or deleted.

import { call } from "./client.js";
import { button, element } from "./elements.js";
import { visible } from "./text.js";

const STATES = {
  needs_approval: "waits for your approval",
  needs_choice: "waits for your choice",
  running: "at work",
  stopped: "stopped, without an answer",
};

const AGAIN_MS = 2_000;

/** Lists threads; `open` and `deleted` are called with a thread's id. */
export class ThreadList {
  #list;
  #state;
  #open;
  #deleted;
  #present = null;
  /** The thread whose deletion waits for a second click; it still does after the list is read again. */
  #asked = null;
  #shown = "";
  #timer = 0;
  /** Whether a thread in the list was at work when it was read last. */
  #isAtWork = false;

  constructor({ list, state, open, deleted }) {
    [this.#list, this.#state, this.#open, this.#deleted] = [list, state, open, deleted];
  }

  /** Read the list again; `present` is the thread that the page shows. */
  async refresh(present = this.#present) {
    this.#present = present;
    clearTimeout(this.#timer);
    try {
      this.#show((await call("v1/threads")).threads);
      this.#state.textContent = this.#list.childElementCount ? "" : "Nothing was asked so far.";
    } catch (error) {
      this.#state.textContent = error.message;
      // Without a key each further try would ask the reader for one.
      if (error.code !== "no_token") this.#readAgain();
    }
  }

  /** A run that was stopped here is still at work until the server has noticed. */
  #readAgain() {
    clearTimeout(this.#timer);
    if (this.#isAtWork) this.#timer = setTimeout(() => this.refresh(), AGAIN_MS);
  }

  #show(threads) {
    // The same list stays as it is, and with it the focus.
    const shown = JSON.stringify([this.#present, threads]);
    if (shown !== this.#shown) this.#list.replaceChildren(...threads.map((thread) => this.#item(thread)));
    this.#shown = shown;
    this.#isAtWork = threads.some(({ state }) => state === "running");
    this.#readAgain();
  }

  #item({ thread, database, question, asked_at: asked, state, turns }) {
    const title = visible(question);
    const opens = button(title.length > 120 ? `${title.slice(0, 120)}…` : title, () => this.#open(thread), {
      class: "thread", "aria-current": thread === this.#present ? "true" : null,
    });
    const facts = [visible(database), dateText(asked), turns > 1 ? `${turns} questions` : null, STATES[state]];
    const bar = element("div", { class: "bar" });
    const made = element("li", {}, opens, element("p", { class: "soft small", text: facts.filter(Boolean).join(" · ") }), bar);
    if (thread === this.#asked) this.#askDeletion(bar, thread, title);
    else this.#offerDeletion(bar, thread, title);
    return made;
  }

  /** A button that asks once more before it deletes. */
  #offerDeletion(bar, thread, title, hasFocus = false) {
    if (thread === this.#asked) this.#asked = null;
    const ask = button("Delete", () => this.#askDeletion(bar, thread, title), { class: "link small", "aria-label": `Delete: ${title.slice(0, 80)}` });
    bar.replaceChildren(ask);
    if (hasFocus) ask.focus();
  }

  #askDeletion(bar, thread, title) {
    this.#asked = thread;
    const sure = button("Delete for good", () => this.#delete(thread, bar), { class: "bad small" });
    const keep = button("Keep", () => this.#offerDeletion(bar, thread, title, true), { class: "small" });
    bar.replaceChildren(sure, keep);
    sure.focus();
  }

  async #delete(thread, bar) {
    this.#asked = null;
    try {
      await call(`v1/threads/${encodeURIComponent(thread)}`, { method: "DELETE" });
    } catch (error) {
      if (error.code !== "not_found") {
        this.#shown = "";
        bar.replaceChildren(element("p", { class: "bad small", role: "alert", text: error.message }));
        return;
      }
    }
    this.#deleted(thread);
    await this.refresh(thread === this.#present ? null : this.#present);
    // The button that had the focus is gone with its thread.
    (this.#list.querySelector("button") ?? this.#state).focus();
  }
}

/** When something was asked: seconds since 1970 or a date as text; the time alone if it was today. */
function dateText(asked) {
  const date = new Date(typeof asked === "number" ? asked * 1000 : asked);
  if (Number.isNaN(date.getTime())) return null;
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? date.toLocaleTimeString([], { timeStyle: "short" }) : date.toLocaleDateString([], { dateStyle: "medium" });
}
