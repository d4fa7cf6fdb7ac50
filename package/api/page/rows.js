// The rows of a result: a table that can be sorted, in a box that scrolls, with its downloads.

import { asCsv, asJson, fileName, save } from "./downloads.js";
import { button, counted, element } from "./elements.js";
import { cellText, clipped, visible } from "./text.js";

const AT_ONCE = 100;
const SHORT = 24; // characters
const ORDERS = ["none", "ascending", "descending"];
const NEXT_WORDS = { none: "sort ascending", ascending: "sort descending", descending: "original order" };

/** The table of an answer, with the buttons under it. */
export function rowsView(answer, question) {
  const { columns, rows } = answer;
  const count = element("span", { class: "soft", text: countText(answer) });
  if (areLeftOut(answer)) return element("div", { class: "rows" }, count);
  const table = sortableTable(columns, rows, `Rows: ${question}`);
  return element("div", { class: "rows" }, table, element("div", { class: "bar" },
    count,
    button("CSV", () => save(asCsv(columns, rows), fileName(question, "csv"), "text/csv"), { "aria-label": "Download the rows as CSV" }),
    button("JSON", () => save(asJson(columns, rows), fileName(question, "json"), "application/json"), { "aria-label": "Download the rows as JSON" })));
}

/** How many rows there are, and whether a limit cut them. */
export function countText({ row_count: count, rows, truncated }) {
  const left = areLeftOut({ row_count: count, rows });
  const here = left ? ", which a long thread leaves out; the report shows them" : rows.length < count ? `, ${rows.length} here` : "";
  return `${counted(count, "row")}${here}${truncated ? cutText(rows) : ""}`;
}

/** Whether the server left the rows out, as it does for older turns of a thread with many. */
function areLeftOut({ row_count: count, rows }) {
  return count > 0 && rows.length === 0;
}

/** What a limit cut: a text that was cut ends with an ellipsis. */
function cutText(rows) {
  const hasCutText = rows.some((row) => row.some((cell) => typeof cell === "string" && cell.endsWith("…")));
  return hasCutText ? "; long texts, and perhaps rows, were cut at a limit" : "; there are more, which a limit cut";
}

/** A cell of a table. */
export function cellElement(cell, isNumber = isNumeric(cell)) {
  const kinds = [isNumber ? "number" : "", cell === null ? "null" : ""];
  if (cell === null || isNumeric(cell)) return element("td", { class: kinds.join(" ").trim() || null, text: cellText(cell) });
  // A short text, such as a date, stays on its line.
  return element("td", { dir: "auto", class: String(cell).length <= SHORT ? "short" : null }, clipped(cell));
}

/** Whether a cell is a number; those of 64 bits are a BigInt. */
export function isNumeric(cell) {
  return typeof cell === "number" || typeof cell === "bigint";
}

/** The rows in the order of a column; NULL comes last either way. */
export function sorted(rows, place, order) {
  if (order === "none") return rows;
  const sign = order === "ascending" ? 1 : -1;
  return [...rows].sort((one, other) => {
    const [a, b] = [one[place], other[place]];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (isNumeric(a) && isNumeric(b) ? (a > b) - (a < b) : collator.compare(String(a), String(b)));
  });
}

const collator = new Intl.Collator(undefined, { numeric: true });

function sortableTable(columns, rows, label) {
  const body = element("tbody");
  const numbers = columns.map((_, place) => rows.some((row) => row[place] !== null) && rows.every((row) => row[place] === null || isNumeric(row[place])));
  const more = button("", () => show(shown + AT_ONCE), { class: "link" });
  let [ordered, shown] = [rows, 0];

  function show(most) {
    shown = Math.min(most, ordered.length);
    body.replaceChildren(...ordered.slice(0, shown).map((row) => element("tr", {}, row.map((cell, place) => cellElement(cell, numbers[place])))));
    more.hidden = shown === ordered.length;
    more.textContent = `Show ${Math.min(AT_ONCE, ordered.length - shown)} more of ${ordered.length.toLocaleString("en")} rows`;
  }

  function order(place, direction) {
    ordered = sorted(rows, place, direction);
    show(Math.max(AT_ONCE, shown));
  }

  show(AT_ONCE);
  const heads = headings(columns, numbers, order);
  // The box scrolls, so the keyboard must reach it.
  const box = element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label },
    element("table", {}, element("thead", {}, element("tr", {}, heads)), body));
  return element("div", {}, box, more);
}

function headings(columns, numbers, order) {
  const heads = columns.map((name, place) => {
    const head = element("th", { scope: "col", "aria-sort": "none", class: numbers[place] ? "number" : null });
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
