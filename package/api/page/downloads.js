// Rows as files: CSV that a spreadsheet runs no formula of, and JSON with the values as they are.

import { element } from "./elements.js";

const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;
const NUMBER = /^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i;
const QUOTED = /[",;\t\n\r]|^\s|\s$/;

/**
 * RFC 4180; NULL is nothing at all, an empty text is `""`. A text that a spreadsheet would compute begins with `'`; exact
 * numbers, which are texts in some engines, stay numbers.
 */
export function asCsv(columns, rows) {
  return [columns, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

/** A list with one object for each row; a name that occurs again gets a number. */
export function asJson(columns, rows) {
  const names = distinct(columns);
  // No prototype, so that a column may be named `__proto__`.
  const objects = rows.map((row) => row.reduce((made, cell, place) => {
    made[names[place]] = cell;
    return made;
  }, Object.create(null)));
  return `${JSON.stringify(objects, exact, 1)}\n`;
}

/** A BigInt as the digits of a number; as a text in a browser that can't write them. */
function exact(_, value) {
  if (typeof value !== "bigint") return value;
  return JSON.rawJSON?.(String(value)) ?? String(value);
}

/** Let the browser save a file. */
export function save(content, name, type) {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A file's name made of a question. */
export function fileName(question, ending) {
  const stem = question.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 50);
  return `${stem || "answer"}.${ending}`;
}

function csvField(cell) {
  if (cell === null) return "";
  const text = typeof cell === "string" && FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : String(cell);
  return text === "" || QUOTED.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function distinct(names) {
  const found = new Set();
  for (const name of names) {
    let fresh = name;
    for (let number = 2; found.has(fresh); number++) fresh = `${name}_${number}`;
    found.add(fresh);
  }
  return [...found];
}
