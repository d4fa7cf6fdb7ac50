// Untrusted text as a reader sees it: characters that hide or reorder text are shown as escapes, long text is clipped.

import { button, element } from "./elements.js";

const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0]/gu;
const JOINERS = "\u200c\u200d\ufe0e\ufe0f";
const FIRST_SHAPED = 0x0590; // the scripts before it have no letters that a joiner shapes
const KEYCAPS = "0123456789#*\u00a9\u00ae";
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const CLIPPED = 240;

/** The text with an escape, such as `\u202e`, for each character that hides or reorders text. */
export function visible(text, { lines = false } = {}) {
  return String(text).replace(INVISIBLE, (character, place, whole) => {
    if (lines && (character === "\n" || character === "\t")) return character;
    return shapes(character, place, whole) ? character : escape(character);
  });
}

/** The text of a cell; null is `NULL`. */
export function cellText(cell) {
  return cell === null ? "NULL" : visible(cell);
}

/** The text, clipped, with a button that shows all of it. */
export function clipped(text, most = CLIPPED) {
  const all = visible(text);
  if (all.length <= most) return [all];
  const shown = element("span", { text: beginning(all, most) });
  const size = all.length.toLocaleString("en");
  const toggle = button(`Show all ${size} characters`, () => {
    const open = toggle.getAttribute("aria-expanded") !== "true";
    shown.textContent = open ? all : beginning(all, most);
    toggle.textContent = open ? "Show less" : `Show all ${size} characters`;
    toggle.setAttribute("aria-expanded", String(open));
  }, { class: "link small", "aria-expanded": "false" });
  return [shown, " ", toggle];
}

function beginning(text, most) {
  // Not between the two halves of a character.
  const end = /[\ud800-\udbff]$/.test(text.slice(0, most)) ? most - 1 : most;
  return `${text.slice(0, end)}…`;
}

function escape(character) {
  const code = character.codePointAt(0);
  if (code > 0xffff) return `\\U${code.toString(16).padStart(8, "0")}`;
  if (code < 0x100) return SHORT[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Whether a joiner or selector changes how the letters or emoji at its side are drawn. */
function shapes(character, place, whole) {
  if (!JOINERS.includes(character)) return false;
  const [before, after] = [Array.from(whole.slice(0, place)).at(-1), Array.from(whole.slice(place + 1))[0]];
  if (character >= "\ufe0e") return isShaped(before) || (before !== undefined && KEYCAPS.includes(before));
  return (isShaped(before) || (before ?? "") === "\ufe0f") && isShaped(after);
}

function isShaped(letter) {
  return letter !== undefined && letter.codePointAt(0) >= FIRST_SHAPED && !letter.match(INVISIBLE);
}
