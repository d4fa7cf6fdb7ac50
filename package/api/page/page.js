// The page: connects its fields and buttons with the conversation, the history and the schema.

import { call } from "./client.js";
import { Conversation } from "./conversation.js";
import { element } from "./elements.js";
import { connectKeyDialog } from "./key.js";
import { SchemaBrowser } from "./schema.js";
import { visible } from "./text.js";
import { ThreadList } from "./threads.js";

const part = (id) => document.getElementById(id);
const [question, database, live] = [part("question"), part("database"), part("live")];
const announce = (line) => {
  live.textContent = line;
};

const schema = new SchemaBrowser({ list: part("tables"), finder: part("find"), state: part("schema-state") });
const conversation = new Conversation({ place: part("turns"), announce, changed: update, ended });
const history = new ThreadList({ list: part("threads"), state: part("threads-state"), open: openThread, deleted: threadDeleted });

/** Show what the state of the conversation allows. */
function update() {
  const { isRunning, isEmpty, thread } = conversation;
  swap(isRunning ? part("ask") : part("stop"), isRunning ? part("stop") : part("ask"));
  database.disabled = isRunning;
  part("turns").setAttribute("aria-busy", String(isRunning));
  part("welcome").hidden = !isEmpty;
  part("question-label").textContent = isRunning ? "Working on your question" : isEmpty ? "Your question" : "Follow up, or ask another question";
  part("question-hint").textContent = isRunning ? "Stop ends the run, its query too." : "Enter asks, Shift+Enter begins a new line.";
  const hash = thread === null ? "" : `#${encodeURIComponent(thread)}`;
  if (location.hash !== hash) window.history.replaceState(null, "", hash || location.pathname);
}

/** Hide one control and show another, which gets the focus if the hidden one had it. */
function swap(hidden, shown) {
  const hadFocus = document.activeElement === hidden;
  [hidden.hidden, shown.hidden] = [true, false];
  if (hadFocus) shown.focus();
}

async function ask(event) {
  event.preventDefault();
  problem("");
  await ready;
  if (conversation.isRunning) return;
  const asked = { question: question.value.trim(), database: database.value, evidence: part("evidence").value.trim(), options: chosen() };
  if (!asked.question) return problem("Write a question first.", question);
  if (!asked.database) return problem("There is no database to ask.", database);
  await conversation.ask(asked);
}

/** A run has ended. The question of one that failed stays in the field, so that it can be asked again. */
function ended(turn) {
  if (turn.isDone && question.value.trim() === turn.question) question.value = "";
  history.refresh(conversation.thread);
}

function chosen() {
  const boxes = ["approve", "clarify"].filter((name) => part(name).checked);
  return Object.fromEntries(boxes.map((name) => [name, true]));
}

function problem(text, field) {
  part("ask-problem").textContent = text;
  field?.focus();
}

async function openThread(thread) {
  problem("");
  try {
    const kept = await conversation.open(thread);
    if (kept === null) return;
    await choose(kept.database);
    announce(`Thread opened: ${kept.turns[0]?.question ?? ""}`);
    await history.refresh(thread);
    question.focus({ preventScroll: true });
    part("turns").lastElementChild?.scrollIntoView({ block: "start" });
  } catch (error) {
    problem(error.message, question);
    update();
    await history.refresh();
  }
}

function threadDeleted(thread) {
  announce("The thread was deleted.");
  if (thread === conversation.thread) conversation.clear();
}

async function newThread() {
  conversation.clear();
  problem("");
  question.focus();
  await history.refresh(null);
}

/** The thread that the address names; a link to a part of the page names none. */
function threadInAddress() {
  const name = location.hash.slice(1);
  return document.getElementById(name) ? "" : name;
}

function addressChanged() {
  if (threadInAddress()) openThread(threadInAddress());
  else if (!location.hash) newThread();
}

async function choose(name) {
  if (database.value === name) return;
  database.value = name;
  await schema.show(name);
}

async function databaseChanged() {
  // A thread is about one database.
  await newThread();
  database.focus();
  await schema.show(database.value);
}

async function start(kept) {
  try {
    const { databases } = await call("v1/databases");
    const options = databases.map(({ name, engine }) => element("option", { value: name, text: `${visible(name)} (${visible(engine)})` }));
    database.replaceChildren(...options);
    part("welcome-database").textContent = databases.length ? "" : "No database is configured for you.";
  } catch (error) {
    database.replaceChildren();
    return problem(error.message);
  }
  if (database.value) schema.show(database.value);
  return kept ? openThread(kept) : history.refresh(null);
}

function connect() {
  part("ask-form").addEventListener("submit", ask);
  part("stop").addEventListener("click", () => {
    conversation.stop();
    question.focus();
  });
  part("new").addEventListener("click", newThread);
  database.addEventListener("change", databaseChanged);
  window.addEventListener("hashchange", addressChanged);
  question.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    part("ask-form").requestSubmit();
  });
  connectKeyDialog({
    dialog: part("key-dialog"), form: part("key-form"), field: part("key"), problem: part("key-problem"),
    forget: part("forget-key"), cancel: part("key-cancel"),
  });
  // The panels at the sides are open where there is room for them.
  const room = window.matchMedia("(min-width: 64rem)");
  const fold = () => document.querySelectorAll("details.panel").forEach((panel) => { panel.open = room.matches; });
  room.addEventListener("change", fold);
  fold();
}

connect();
const ready = start(threadInAddress()); // before the address is that of a new thread
update();
