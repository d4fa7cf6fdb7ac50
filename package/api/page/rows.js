// The rows of a result: a table that can be sorted, in a box that scrolls, with its downloads.

import { asCsv, asJson, fileName, save } from "./downloads.js";
import { button, counted, element } from "./elements.js";
import { cellText, clipped, visible } from "./text.js";

const AT_ONCE = 100;
const ORDERS = ["none", "ascending", "descending"];
const NEXT_WORDS = { none: "sort ascending", ascending: "sort descending", descending: "original order" };

/** The table of an answer, with the buttons under it. */
export function rowsView(answer, question) {
  const { columns, rows } = answer;
  const table = sortableTable(columns, rows, `Rows: ${question}`);
  return element("div", { class: "rows" }, table, element("div", { class: "bar" },
    element("span", { class: "soft", text: countText(answer) }),
    button("CSV", () => save(asCsv(columns, rows), fileName(question, "csv"), "text/csv"), { "aria-label": "Download the rows as CSV" }),
    button("JSON", () => save(asJson(columns, rows), fileName(question, "json"), "application/json"), { "aria-label": "Download the rows as JSON" })));
}

/** How many rows there are, and whether a limit cut them. */
export function countText({ row_count: count, rows, truncated }) {
  const cut = truncated ? ", cut at a limit" : "";
  return rows.length < count ? `${counted(count, "row")}, ${rows.length} here${cut}` : `${counted(count, "row")}${cut}`;
}

/** A cell of a table. */
export function cellElement(cell) {
  if (cell === null) return element("td", { class: "null", text: "NULL" });
  if (typeof cell === "number") return element("td", { class: "number", text: cellText(cell) });
  return element("td", { dir: "auto" }, clipped(cell));
}

/** The rows in the order of a column; NULL comes last either way. */
export function sorted(rows, place, order) {
  if (order === "none") return rows;
  const sign = order === "ascending" ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [one[place], other[place]];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b)));
  });
}

const collator = new Intl.Collator(undefined, { numeric: true });

function sortableTable(columns, rows, label) {
  const body = element("tbody");
  const more = button("", () => show(shown + AT_ONCE), { class: "link" });
  let [ordered, shown] = [rows, 0];

  function show(most) {
    shown = Math.min(most, ordered.length);
    body.replaceChildren(...ordered.slice(0, shown).map((row) => element("tr", {}, row.map(cellElement))));
    more.hidden = shown === ordered.length;
    more.textContent = `Show ${Math.min(AT_ONCE, ordered.length - shown)} more of ${ordered.length.toLocaleString("en")} rows`;
  }

  function order(place, direction) {
    ordered = sorted(rows, place, direction);
    show(Math.max(AT_ONCE, shown));
  }

  show(AT_ONCE);
  const heads = headings(columns, rows, order);
  // The box scrolls, so the keyboard must reach it.
  const box = element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label },
    element("table", {}, element("thead", {}, element("tr", {}, heads)), body));
  return element("div", {}, box, more);
}

function headings(columns, rows, order) {
  const heads = columns.map((name, place) => {
    const isNumber = rows.length > 0 && rows.every((row) => row[place] === null || typeof row[place] === "number");
    const head = element("th", { scope: "col", "aria-sort": "none", class: isNumber ? "number" : null });
    head.append(button("", () => sortBy(head, place), { class: "sort" }));
    label(head.firstChild, name, "none");
    return head;
  });

  function sortBy(head, place) {
    const direction = ORDERS[(ORDERS.indexOf(head.getAttribute("aria-sort")) + 1) % ORDERS.length];
    for (const [at, each] of heads.entries()) {
      each.setAttribute("aria-sort", each === head ? direction : "none");
      label(each.firstChild, columns[at], each === head ? direction : "none");
    }
    order(place, direction);
  }
  return heads;
}

function label(control, name, direction) {
  const shown = visible(name);
  control.replaceChildren(shown.length > 60 ? `${shown.slice(0, 60)}…` : shown);
  control.title = `${shown.slice(0, 1000)}: ${NEXT_WORDS[direction]}`;
}
