// The schema of a database: its tables, each with columns, keys and examples, and a field that finds names.

import { call } from "./client.js";
import { counted, element } from "./elements.js";
import { clipped, visible } from "./text.js";

/** Shows the schema of the database that is chosen. */
export class SchemaBrowser {
  #list;
  #finder;
  #state;
  #tables = [];
  #wanted = "";

  /** Elements of the page: the list, the field that finds names, and the line that says how many there are. */
  constructor({ list, finder, state }) {
    [this.#list, this.#finder, this.#state] = [list, finder, state];
    finder.addEventListener("input", () => this.#find());
  }

  /** Read and show a schema; a reading that a later one has passed is dropped. */
  async show(database) {
    this.#wanted = database;
    this.#list.replaceChildren();
    this.#state.textContent = "Reading the schema …";
    try {
      const { tables } = await call(`v1/schema?database=${encodeURIComponent(database)}`);
      if (this.#wanted === database) this.#fill(tables);
    } catch (error) {
      if (this.#wanted === database) this.#state.textContent = error.message;
    }
  }

  #fill(tables) {
    this.#tables = tables.map((table) => ({ element: tableElement(table), words: wordsOf(table) }));
    this.#list.replaceChildren(...this.#tables.map((table) => table.element));
    this.#find();
  }

  #find() {
    const wanted = this.#finder.value.trim().toLowerCase();
    for (const { element: shown, words } of this.#tables) shown.hidden = !words.includes(wanted);
    const found = this.#tables.filter((table) => !table.element.hidden).length;
    this.#state.textContent = wanted ? `${found} of ${counted(this.#tables.length, "table")}` : counted(found, "table");
  }
}

function wordsOf({ name, comment, columns }) {
  const parts = [name, comment, ...columns.flatMap((column) => [column.name, column.comment])];
  return parts.filter(Boolean).join("\n").toLowerCase();
}

function tableElement({ name, comment, columns }) {
  return element("li", {}, element("details", {},
    element("summary", {}, element("span", { class: "name", text: visible(name) }), " ",
      element("span", { class: "soft", text: counted(columns.length, "column") })),
    comment ? element("p", { class: "soft" }, clipped(comment)) : null,
    element("ul", { class: "columns" }, columns.map(columnElement))));
}

function columnElement({ name, type, primary_key: isKey, references, comment, examples }) {
  const shown = (examples ?? []).filter((example) => example !== null).slice(0, 3);
  return element("li", {},
    element("span", { class: "name", text: visible(name) }), " ", element("span", { class: "soft", text: visible(type ?? "") }),
    isKey ? [" ", element("span", { class: "badge", text: "key" })] : null,
    references ? element("p", { class: "soft", text: `→ ${visible(references)}` }) : null,
    comment ? element("p", { class: "soft" }, clipped(comment)) : null,
    shown.length ? element("p", { class: "soft" }, "e.g. ", shown.flatMap((example, place) => [place ? ", " : "", ...clipped(example, 40)])) : null);
}
