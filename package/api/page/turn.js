// One question of a thread on the page: its story, and then its answer, the decision that it waits for, or an error.

import { answerCard } from "./answer.js";
import { decisionCard, sqlEditor } from "./decisions.js";
import { button, element, focusOn } from "./elements.js";
import { Story } from "./story.js";
import { clipped, visible } from "./text.js";

/** A question with everything that belongs to it. */
export class Turn {
  #body = element("div");
  #problem = element("div");

  /** `announce` takes a line for a live region. */
  constructor(asked, announce) {
    const { question, database, sql } = asked;
    [this.asked, this.question, this.database, this.number] = [asked, question, database, null];
    this.isDone = false;
    this.story = new Story(announce);
    this.heading = element("h2", { dir: "auto" }, clipped(question, 600));
    const facts = `${visible(database)}${sql !== undefined ? ", with your own query" : ""}`;
    this.element = element("article", { class: "turn" }, this.heading,
      element("p", { class: "soft small", text: facts }), this.story.element, this.#body, this.#problem);
    this.story.element.hidden = true;
  }

  /** Show that the run works. What was to be decided stays until the run has taken the decision. */
  begin() {
    this.#problem.replaceChildren();
    this.story.element.hidden = false;
    this.story.resume();
    this.#body.inert = true;
  }

  /** Show the answer. */
  showAnswer(answer, { report, runEdited, hasFocus = true }) {
    const editing = runEdited && ((sql) => this.#openEditor(sql, runEdited));
    this.#show(answerCard(answer, { question: this.question, report, editing }), hasFocus);
  }

  /** Show what a person has to decide; `decide` takes the body that resumes the run. */
  showDecision(interrupt, decide, hasFocus = true) {
    this.#show(decisionCard(interrupt, this.database, decide), hasFocus);
  }

  /** Show why there is no answer, with buttons: pairs of a text and what it does. */
  showProblem(error, actions = []) {
    this.story.end({ keepOpen: true });
    this.#body.inert = false;
    const message = element("p", { class: "bad" }, clipped(error.message, 600));
    const request = error.requestId ? element("p", { class: "soft small", text: `Request ${visible(error.requestId)}` }) : null;
    const buttons = actions.map(([text, act]) => button(text, act));
    const card = element("section", { class: "card problem", role: "alert" }, message, request, element("div", { class: "bar" }, buttons));
    this.#problem.replaceChildren(card);
    card.scrollIntoView({ block: "nearest" });
  }

  /** Another question was asked: what was not decided can't be decided any more, nor a broken run continued. */
  giveUp() {
    this.#problem.querySelectorAll("button").forEach((each) => each.remove());
    if (this.#body.querySelector(".asks") === null) return;
    const note = element("p", { class: "soft", text: "Not decided: another question was asked." });
    this.#body.replaceChildren(note);
  }

  #show({ card, heading }, hasFocus) {
    this.story.end();
    this.#body.inert = false;
    this.#body.replaceChildren(card);
    if (hasFocus) focusOn(heading, this.element);
  }

  #openEditor(sql, runEdited) {
    const query = this.#body.querySelector(".query");
    const editor = sqlEditor(sql, this.database, close(runEdited), close(() => query.querySelector("button").focus()));
    query.hidden = true;
    query.after(editor.element);
    editor.focus();

    function close(then) {
      return (...given) => {
        editor.element.remove();
        query.hidden = false;
        return then(...given);
      };
    }
  }
}
