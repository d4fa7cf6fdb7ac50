// Bars and lines as inline SVG, made by calls; colours and fonts come from the style sheet.

import { drawn } from "./elements.js";

const [ROW, BAR] = [30, 16];
const [HEIGHT, TOP, BOTTOM, RIGHT] = [240, 14, 34, 18];
const FONT = "13px system-ui, sans-serif"; // as in the style sheet

const ruler = document.createElement("canvas").getContext("2d");

/** A number as a chart writes it. */
export function shown(value) {
  return value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 1 });
}

/** Bars from left to right, one a category; those of numbers below zero begin at the same line and end at its left. */
export function barChart(series, width) {
  const { points } = series;
  const labels = Math.min(Math.max(...points.map((point) => widthOf(point.label)), 20), width * 0.38);
  const values = Math.max(...points.map((point) => widthOf(shown(point.value)))) + 10;
  const [low, high] = reach(points);
  const room = width - labels - 12 - values * (low < 0 ? 2 : 1);
  const x = (value) => labels + 12 + (low < 0 ? values : 0) + (room * (value - low)) / (high - low);
  const bars = points.map((point, place) => bar(point, place * ROW, { x, labels }));
  const axis = drawn("line", { class: "axis", x1: x(0), x2: x(0), y1: 0, y2: points.length * ROW });
  return picture(series, width, points.length * ROW, [...bars, axis]);
}

function bar(point, y, { x, labels }) {
  const [from, to] = [Math.min(x(0), x(point.value)), Math.max(x(0), x(point.value))];
  const middle = y + ROW / 2 + 4;
  const isNegative = point.value < 0;
  return drawn("g", {},
    drawn("title", { text: `${point.label}: ${shown(point.value)}` }),
    drawn("text", { x: labels, y: middle, class: "end", text: fitting(point.label, labels) }),
    drawn("rect", { x: from, y: y + (ROW - BAR) / 2, width: Math.max(1, to - from), height: BAR, rx: 3 }),
    drawn("text", { x: isNegative ? from - 6 : to + 6, y: middle, class: isNegative ? "end soft" : "soft", text: shown(point.value) }));
}

/** A line over time, with marks where there is room for them. */
export function lineChart(series, width) {
  const { points } = series;
  const [low, high] = reach(points);
  const [first, last] = [points[0]?.at ?? 0, points.at(-1)?.at ?? 1];
  const left = Math.max(...ticks(low, high).map((value) => widthOf(shown(value)))) + 12;
  const x = (at) => left + ((width - left - RIGHT) * (at - first)) / (last - first || 1);
  const y = (value) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - value)) / (high - low);
  const path = drawn("polyline", { class: "way", points: points.map((point) => `${x(point.at)},${y(point.value)}`).join(" ") });
  const marks = points.length > width / 12 ? [] : points.map((point) =>
    drawn("circle", { cx: x(point.at), cy: y(point.value), r: 4 }, drawn("title", { text: `${point.label}: ${shown(point.value)}` })));
  return picture(series, width, HEIGHT, [...levels({ low, high, left }, y, width), ...times(points, x, width - left), path, ...marks]);
}

function levels({ low, high, left }, y, width) {
  return ticks(low, high).flatMap((value) => [
    drawn("line", { class: value === 0 ? "axis" : "level", x1: left, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    drawn("text", { class: "end soft", x: left - 8, y: y(value) + 4, text: shown(value) }),
  ]);
}

/** The labels under a line: as many as there is room for, the first and the last always. */
function times(points, x, room) {
  const needed = Math.max(...points.map((point) => widthOf(point.label))) + 24;
  const most = Math.max(2, Math.floor(room / needed));
  const step = Math.ceil((points.length - 1) / (most - 1)) || 1;
  const last = points.length - 1;
  const places = points.map((_, place) => place).filter((place) => place === last || (place % step === 0 && last - place >= step / 2));
  return places.map((place) => {
    const side = place === 0 ? "start" : place === last ? "end" : "middle";
    return drawn("text", { class: `${side} soft`, x: x(points[place].at), y: HEIGHT - 10, text: points[place].label });
  });
}

/** The numbers that an axis shows: zero and the highest or lowest, with some margin. */
function reach(points) {
  const values = points.map((point) => point.value);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  return low === high ? [0, 1] : [low, high];
}

function ticks(low, high) {
  const raw = (high - low) / 4;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((times) => times * size >= raw) * size;
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, place) => (first + place) * step);
}

function widthOf(text) {
  ruler.font = FONT;
  return ruler.measureText(text).width;
}

/** As much of a text as has room. */
function fitting(text, width) {
  if (widthOf(text) <= width + 1) return text;
  let end = text.length;
  while (end > 1 && widthOf(`${text.slice(0, end)}…`) > width) end -= 1;
  return `${text.slice(0, end)}…`;
}

function picture(series, width, height, parts) {
  return drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": series.summary }, parts);
}
