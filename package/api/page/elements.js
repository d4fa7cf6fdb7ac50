// Elements made by calls. Text is set as text, never parsed as markup, since it comes from databases and models.

const SVG = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * Properties: `class`, `data` (an object), `on` (listeners by event), `text`; all others are set as attributes, `true`
 * as an attribute without a value, and left out if they are null or false.
 */
export function element(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

/** The same for a part of a picture. */
export function drawn(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

/** A button that submits nothing. */
export function button(text, act, properties = {}) {
  return element("button", { type: "button", text, on: { click: act }, ...properties });
}

/** A part that opens and closes. */
export function foldable(title, ...children) {
  return element("details", {}, element("summary", { text: title }), ...children);
}

/** A number and its noun: `1 row`, `1,200 rows`. */
export function counted(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

/** Move the focus to a heading or another part that is no control, and show it, or the part that holds it. */
export function focusOn(target, shown = target) {
  target.tabIndex = -1;
  target.focus({ preventScroll: true });
  shown.scrollIntoView({ block: "start" });
}

let lastId = 0;

/** An id that no other element has. */
export function freshId(stem) {
  lastId += 1;
  return `${stem}-${lastId}`;
}

function filled(made, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "on") Object.entries(value).forEach(([event, act]) => made.addEventListener(event, act));
    else if (name === "data") Object.assign(made.dataset, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}
