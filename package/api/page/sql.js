// SQL as it is read: words of the language, texts, numbers and comments in colours, and what differs between two queries.

import { element } from "./elements.js";
import { visible } from "./text.js";

const KEYWORDS = new Set(
  ("all and any array as asc between by case cast collate create cross current_date current_time current_timestamp " +
    "delete desc distinct else end escape except exists extract false fetch filter first following for from full group " +
    "having if ilike in inner insert intersect interval into is isnull join last lateral left like limit natural not " +
    "notnull null nulls offset on or order outer over partition preceding qualify range recursive right row rows select " +
    "set similar some table then ties to true unbounded union unique update using values when where window with within")
    .split(" "),
);
const TOKENS = new RegExp(
  [
    String.raw`(?<comment>--[^\n]*|/\*[\s\S]*?(?:\*/|$))`,
    String.raw`(?<text>'(?:[^']|'')*(?:'|$))`,
    String.raw`(?<quoted>"(?:[^"]|"")*(?:"|$)|${"`"}(?:[^${"`"}]|${"``"})*(?:${"`"}|$)|\[[^\]\n]*\])`,
    String.raw`(?<number>\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b)`,
    String.raw`(?<word>[\p{L}_][\p{L}\p{N}_$]*)`,
    String.raw`(?<space>\s+)`,
    String.raw`(?<other>[\s\S])`,
  ].join("|"),
  "giu",
);
const MOST_TOKENS = 1500; // finding differences takes quadratic time
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u; // it would turn its neighbours too
const KINDS = { comment: "comment", text: "text", number: "number" };

/** The tokens of a query, in order: `[kind, text]`; their texts joined are the query. */
export function tokens(sql) {
  return [...sql.matchAll(TOKENS)].map((found) => {
    const [kind] = Object.entries(found.groups).find(([, text]) => text !== undefined);
    return [kind === "word" && KEYWORDS.has(found[0].toLowerCase()) ? "keyword" : kind, found[0]];
  });
}

/** A query in colours. */
export function sqlBlock(sql) {
  return element("pre", { class: "sql" }, element("code", {}, tokens(sql).map(coloured)));
}

/** A query with the words marked that differ from another one; white space and the case of names don't count. */
export function comparedSql(sql, other) {
  const parts = differences(tokens(other), tokens(sql)).map(([change, token]) => {
    if (change === "same") return coloured(token);
    return element(change === "new" ? "ins" : "del", {}, coloured(token));
  });
  return element("pre", { class: "sql" }, element("code", {}, parts));
}

/** The tokens of the new query and, between them, those of the old one that it lacks. */
export function differences(before, now) {
  if (Math.max(before.length, now.length) > MOST_TOKENS) return now.map((token) => ["same", token]);
  const common = commonLengths(before.map(keyOf), now.map(keyOf));
  const found = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < now.length) {
    if (i < before.length && j < now.length && keyOf(before[i]) === keyOf(now[j])) {
      found.push(["same", now[j]]);
      [i, j] = [i + 1, j + 1];
    } else if (j >= now.length || (i < before.length && common[i + 1][j] >= common[i][j + 1])) {
      found.push(["gone", before[i++]]);
    } else {
      found.push(["new", now[j++]]);
    }
  }
  return found.map(([change, token]) => (token[0] === "space" && change === "new" ? ["same", token] : [change, token]));
}

function commonLengths(before, now) {
  const table = Array.from({ length: before.length + 1 }, () => new Uint16Array(now.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = now.length - 1; j >= 0; j--) {
      table[i][j] = before[i] === now[j] ? table[i + 1][j + 1] + 1 : Math.max(table[i + 1][j], table[i][j + 1]);
    }
  }
  return table;
}

function keyOf([kind, text]) {
  if (kind === "space") return " ";
  return kind === "text" ? text : text.toLowerCase();
}

function coloured([kind, text]) {
  const shown = visible(text, { lines: true });
  if (kind === "keyword") return element("b", { text: shown });
  if (KINDS[kind]) return element("span", { class: KINDS[kind], text: shown });
  return RIGHT_TO_LEFT.test(text) ? element("bdi", { text: shown }) : shown;
}
