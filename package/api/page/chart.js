// Whether a result is a category or a date with numbers, and what its chart shows.

import { counted, element, freshId } from "./elements.js";
import { barChart, lineChart, shown } from "./drawing.js";
import { isNumeric } from "./rows.js";
import { visible } from "./text.js";

const MOST = { bars: 24, line: 1000 };
const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:[T ]\d{2}:\d{2}.*)?)?)?$/;
const YEAR_NAME = /(^|_)years?($|_)|jahr|annee/i;
const ID_NAME = /(^|_)(id|key|nr|zip|code)$|Id$/;

/** What could be drawn: the columns of the labels and of the numbers, and the kind; null if nothing could. */
export function chartOf(columns, rows) {
  if (rows.length < 2 || columns.length < 2) return null;
  const cells = (place) => rows.map((row) => row[place]);
  const dates = columns.findIndex((name, place) => areDates(name, cells(place)));
  const label = dates >= 0 ? dates : columns.findIndex((_, place) => areCategories(cells(place)));
  const numbers = columns.map((_, place) => place).filter(
    (place) => place !== label && areNumbers(cells(place)) && !ID_NAME.test(columns[place]));
  const kind = dates >= 0 ? "line" : "bars";
  return label < 0 || numbers.length === 0 || rows.length > MOST[kind] ? null : { kind, label, numbers };
}

/** The picture of a result with its description; null where there is none. */
export function chartView(columns, rows) {
  const chart = chartOf(columns, rows);
  if (chart === null) return null;
  const place = element("div", { class: "picture" });
  const caption = element("figcaption", { class: "soft" });
  const choice = numberChoice(columns, chart, draw);
  let number = chart.numbers[0];

  function draw(chosen = number) {
    number = chosen;
    const series = seriesOf(columns, rows, chart, number);
    caption.textContent = series.summary;
    const width = Math.max(240, Math.min(place.clientWidth || 640, 760));
    place.replaceChildren((chart.kind === "line" ? lineChart : barChart)(series, width));
  }

  // The text in a picture must not shrink with it, so it is drawn again for each width.
  let drawnFor = -1;
  new ResizeObserver(() => {
    if (place.clientWidth !== drawnFor) draw();
    drawnFor = place.clientWidth;
  }).observe(place);
  return element("figure", { class: "chart" }, choice, place, caption);
}

function numberChoice(columns, chart, draw) {
  if (chart.numbers.length < 2) return null;
  const id = freshId("number");
  const options = chart.numbers.map((place) => element("option", { value: String(place), text: visible(columns[place]).slice(0, 60) }));
  const select = element("select", { id, on: { change: () => draw(Number(select.value)) } }, options);
  return element("p", { class: "bar" }, element("label", { for: id, text: "Number drawn" }), select);
}

/** Labels and numbers to draw, with a description in words. */
export function seriesOf(columns, rows, { kind, label, numbers }, number = numbers[0]) {
  const points = rows.filter((row) => row[label] !== null && row[number] !== null)
    .map((row) => ({ label: short(row[label]), value: Number(row[number]), at: kind === "line" ? timeOf(row[label]) : 0 }));
  if (kind === "line") points.sort((one, other) => one.at - other.at);
  const names = { number: short(columns[number]), label: short(columns[label]) };
  return { points, ...names, summary: summaryOf(kind, points, names) };
}

function summaryOf(kind, points, names) {
  const title = `${kind === "line" ? "Line" : "Bar"} chart: ${names.number} by ${names.label}`;
  if (points.length === 0) return `${title}, no value.`;
  const byValue = [...points].sort((one, other) => one.value - other.value);
  const [low, high] = [byValue[0], byValue.at(-1)];
  return `${title}, ${counted(points.length, "value")}. Highest: ${high.label}, ${shown(high.value)}. Lowest: ${low.label}, ${shown(low.value)}.`;
}

function short(text) {
  const all = visible(text) || "(empty)";
  return all.length > 40 ? `${all.slice(0, 39)}…` : all;
}

function areDates(name, cells) {
  const given = cells.filter((cell) => cell !== null);
  const isYear = (cell) => Number.isInteger(cell) && cell >= 1000 && cell < 3000 && YEAR_NAME.test(name);
  const isDate = (cell) => typeof cell === "string" && DATE.test(cell) && !Number.isNaN(timeOf(cell));
  return given.length > 1 && given.every((cell) => isYear(cell) || isDate(cell)) && areDistinct(given);
}

function areCategories(cells) {
  return cells.every((cell) => cell === null || typeof cell === "string") && areDistinct(cells);
}

function areDistinct(cells) {
  return new Set(cells).size === cells.length;
}

function areNumbers(cells) {
  const given = cells.filter((cell) => cell !== null);
  return given.length > 1 && given.every((cell) => isNumeric(cell) && Number.isFinite(Number(cell)));
}

function timeOf(cell) {
  const [, year, month, day] = DATE.exec(String(cell)) ?? [];
  const rest = String(cell).slice(10).replace(/^[T ]/, "T");
  return year === undefined ? NaN : Date.parse(`${year}-${month ?? "01"}-${day ?? "01"}${rest || "T00:00"}`);
}
