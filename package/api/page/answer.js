// An answer as it is read: how sure it is, rows, chart, SQL, doubts, the candidates with their differences, the cost.

import { chartView } from "./chart.js";
import { fetched, keptKey } from "./client.js";
import { fileName, save } from "./downloads.js";
import { button, counted, element, foldable } from "./elements.js";
import { rowsView } from "./rows.js";
import { comparedSql, sqlBlock } from "./sql.js";
import { clipped, cellText } from "./text.js";

const STATUS = {
  ok: ["good", "answered"],
  empty: ["warn", "no rows"],
  unsure: ["warn", "unsure"],
  unanswerable: ["warn", "can't be answered"],
  refused: ["bad", "not run"],
  timeout: ["bad", "out of time"],
  error: ["bad", "failed"],
};
const AGENTS = {
  draft: "The draft",
  generate: "The second opinion",
  complete_joins: "The query with repaired joins",
  correct_noise: "The correction",
  continue_writing: "The continuation",
  sample: "A sample",
  person: "Your query",
};
const NOT_CALIBRATED = "Not calibrated: this confidence only orders answers, it is no probability.";

/** The card of an answer; `editing` is called for a query to edit and run, `report` is the address of its report. */
export function answerCard(answer, { question, report, editing }) {
  const heading = element("h3", { text: "Answer" });
  const card = element("section", { class: "card answer" },
    element("div", { class: "head" }, heading, facts(answer)),
    answer.error ? element("p", { class: "bad" }, clipped(answer.error, 600)) : null,
    list("Doubts", furtherDoubts(answer), "warn"),
    result(answer, question),
    query(answer, editing),
    list("Notes", answer.notes, "soft"),
    candidates(answer),
    ledger(answer.ledger),
    report ? reportLink(report, question) : null);
  return { card, heading };
}

/** The doubts, without one that only repeats the error. */
function furtherDoubts({ doubts, error }) {
  const bare = (sentence) => sentence.replace(/\.$/, "");
  return error === null ? doubts : doubts.filter((doubt) => bare(doubt) !== bare(error));
}

function facts({ status, confidence, calibrated, sql }) {
  const [kind, words] = STATUS[status] ?? ["warn", status];
  const sure = sql === null ? null : element("li", { title: calibrated ? null : NOT_CALIBRATED },
    `confidence ${confidence.toFixed(2)}${calibrated ? "" : ", not calibrated"}`);
  return element("ul", { class: "facts" }, element("li", { class: kind, text: words }), sure);
}

function result(answer, question) {
  const { columns, rows, sql } = answer;
  if (sql === null || columns.length === 0) return null;
  const isOne = rows.length === 1 && columns.length === 1 && cellText(rows[0][0]).length <= 40;
  return [
    isOne ? element("p", { class: "single", dir: "auto" }, cellText(rows[0][0])) : null,
    chartView(columns, rows),
    rowsView(answer, question),
  ];
}

function query({ sql }, editing) {
  if (sql === null) return null;
  const copied = element("span", { class: "soft", role: "status" });
  const copy = button("Copy", async () => {
    // Not allowed in each browser and over each connection.
    copied.textContent = await navigator.clipboard?.writeText(sql).then(() => "Copied.", () => "Select the text to copy it.")
      ?? "Select the text to copy it.";
  });
  const edit = editing ? button("Edit and run", () => editing(sql)) : null;
  return element("div", { class: "query" }, element("h4", { text: "SQL" }), sqlBlock(sql),
    element("div", { class: "bar" }, edit, copy, copied));
}

function list(title, sentences, kind) {
  if (!sentences?.length) return null;
  return element("div", {}, element("h4", { text: title }),
    element("ul", { class: `plain ${kind}` }, sentences.map((sentence) => element("li", {}, clipped(sentence, 600)))));
}

function candidates({ candidates: tried, sql }) {
  if (!tried?.length) return null;
  return foldable(`Queries that were tried: ${tried.length}`,
    tried.length > 1 ? element("p", { class: "soft", text: "Marked: what differs from the answer's query." }) : null,
    tried.map((each, place) => candidate(each, place, sql)));
}

function candidate({ agent, sql, status, error, row_count: count, seconds }, place, answer) {
  const ended = error === null ? counted(count, "row") : STATUS[status]?.[1] ?? status;
  const isAnswer = sql === answer;
  return element("div", { class: "candidate" },
    element("div", { class: "head" },
      element("h4", { text: `${place + 1}. ${AGENTS[agent] ?? agent}` }),
      element("span", { class: error === null ? "good" : "bad", text: ended }),
      element("span", { class: "soft", text: `${seconds.toFixed(2)} s${isAnswer ? ", this is the answer" : ""}` })),
    isAnswer || answer === null ? sqlBlock(sql) : comparedSql(sql, answer),
    error === null ? null : element("p", { class: "bad" }, clipped(error, 600)));
}

function ledger(entries) {
  if (!entries?.length) return null;
  const sum = (field) => entries.reduce((total, entry) => total + (entry[field] ?? 0), 0);
  const tokens = (sum("prompt_tokens") + sum("completion_tokens")).toLocaleString("en");
  const title = `Cost: ${counted(entries.length, "call")} of the model, ${tokens} tokens, ${sum("seconds").toFixed(1)} s`;
  const names = ["call", "prompt tokens", "of them cached", "written", "seconds"];
  const head = names.map((name, place) => element("th", { scope: "col", class: place ? "number" : null, text: name }));
  const body = entries.map((entry) => element("tr", {}, element("td", { text: entry.node }),
    [entry.prompt_tokens, entry.cached_tokens ?? "–", entry.completion_tokens, entry.seconds.toFixed(2)]
      .map((value) => element("td", { class: "number", text: String(value) }))));
  const box = element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Calls of the model" },
    element("table", {}, element("thead", {}, element("tr", {}, head)), element("tbody", {}, body)));
  return foldable(title, box);
}

/** A link; with a key, which a link can't send, a button that saves the report. */
function reportLink(address, question) {
  if (keptKey() === null) {
    return element("p", {}, element("a", { href: address, target: "_blank", rel: "noopener", text: "Report of this run" }));
  }
  const failed = element("span", { class: "bad", role: "status" });
  const act = async () => {
    try {
      save(await fetched(address), fileName(question, "html"));
      failed.textContent = "";
    } catch (error) {
      failed.textContent = error.message;
    }
  };
  return element("p", {}, button("Save the report of this run", act, { class: "link" }), " ", failed);
}
