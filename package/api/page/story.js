// The story of a run: a line an event, and the newest one read out by screen readers.

import { counted, element } from "./elements.js";
import { tokens } from "./sql.js";
import { clipped, visible } from "./text.js";

const SQL_CHARS = 160;

/** The story of one turn. */
export class Story {
  #lines = element("ol", { class: "story" });
  #title = element("summary", { text: "At work" });
  #present = element("p", { class: "present", "aria-hidden": "true" });
  #announce;
  #steps = 0;
  #seconds = 0;

  /** `announce` takes a line for a live region. */
  constructor(announce) {
    this.#announce = announce;
    this.element = element("details", { class: "steps", open: true }, this.#title, this.#lines, this.#present);
  }

  /** Add an event; one that says that a step still works replaces the one before. */
  add({ kind, text, sql, seconds }) {
    this.#seconds = seconds;
    const shown = visible(text);
    this.#present.textContent = kind === "begin" || kind === "load" || kind === "work" ? `${shown} … ${Math.round(seconds)} s` : "";
    if (kind === "work") return;
    this.#announce(shown);
    if (kind === "begin" || kind === "load") return;
    this.#steps += 1;
    this.#lines.append(element("li", {},
      element("span", { class: "time", text: `${seconds.toFixed(1)} s` }),
      element("span", {}, clipped(text), kind === "write" && sql ? [" ", oneLine(sql)] : null)));
  }

  /** Begin, or begin again after a person has decided. */
  resume() {
    this.element.classList.add("running");
    this.element.open = true;
    this.#title.textContent = "At work";
    this.#present.textContent = "Waiting for the server …";
  }

  /** End: the lines are folded away, since the answer matters now. */
  end({ keepOpen = false } = {}) {
    this.element.classList.remove("running");
    this.#present.textContent = "";
    this.element.open = keepOpen;
    this.element.hidden = this.#steps === 0;
    this.#title.textContent = `The run: ${counted(this.#steps, "step")} in ${this.#seconds.toFixed(1)} s`;
  }
}

function oneLine(sql) {
  const line = tokens(sql).map(([kind, text]) => (kind === "space" ? " " : text)).join("");
  return element("code", {}, clipped(line, SQL_CHARS));
}
