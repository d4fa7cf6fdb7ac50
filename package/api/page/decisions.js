// What a person decides in a run: whether a query may run, and what an unclear word means.

import { call } from "./client.js";
import { button, element, freshId } from "./elements.js";
import { sqlBlock } from "./sql.js";
import { visible } from "./text.js";

/** The form of a run that waits; `decide` takes the body that resumes it. */
export function decisionCard(interrupt, database, decide) {
  const isApproval = interrupt.kind === "approve";
  const heading = element("h3", { text: isApproval ? "May this query run?" : visible(interrupt.question) });
  const form = isApproval ? approval(interrupt.sql, database, decide) : clarification(interrupt.choices ?? [], decide);
  return { card: element("section", { class: "card asks" }, heading, form), heading };
}

function approval(sql, database, decide) {
  const editor = sqlEditor(sql, database, (edited) => decide({ type: "edit", sql: edited }), () => open(false));
  const block = sqlBlock(sql);
  const reason = element("input", { id: freshId("reason"), maxlength: "500", autocomplete: "off" });
  const bar = element("div", { class: "bar" },
    button("Run it", () => decide({ type: "approve" }), { class: "main" }),
    button("Edit", () => open(true)),
    button("Reject", () => decide(reason.value.trim() ? { type: "reject", reason: reason.value.trim() } : { type: "reject" })));
  const why = element("p", { class: "field" }, element("label", { for: reason.id, text: "Reason, if you reject it (optional)" }), reason);
  editor.element.hidden = true;

  function open(isOpen) {
    [editor.element.hidden, block.hidden, bar.hidden, why.hidden] = [!isOpen, isOpen, isOpen, isOpen];
    if (isOpen) editor.focus();
    else bar.children[1].focus();
  }
  return element("div", {}, block, editor.element, bar, why);
}

/** A field for a query, checked before it is run: a refused one stays in the field, with the reason. */
export function sqlEditor(sql, database, run, cancel) {
  const field = element("textarea", { id: freshId("sql"), class: "code", rows: String(Math.min(16, sql.split("\n").length + 3)), spellcheck: "false", autocapitalize: "off" });
  const problem = element("p", { class: "bad", role: "alert" });
  field.value = sql;

  async function checked() {
    problem.textContent = "";
    const edited = field.value.trim();
    if (!edited) return complain("Write a query first.");
    try {
      const { allowed, reason } = await call("v1/check", { method: "POST", body: { sql: edited, database } });
      return allowed ? run(edited) : complain(reason ?? "This query may not run.");
    } catch (error) {
      return complain(error.message);
    }
  }

  function complain(text) {
    problem.textContent = visible(text);
    field.focus();
  }
  const made = element("div", { class: "field" },
    element("label", { for: field.id, text: "SQL to run" }), field, problem,
    element("div", { class: "bar" }, button("Run this query", checked, { class: "main" }), button("Cancel", cancel)));
  return { element: made, focus: () => field.focus() };
}

function clarification(choices, decide) {
  const own = element("input", { id: freshId("meaning"), maxlength: "500", autocomplete: "off" });
  const say = () => {
    if (own.value.trim()) decide({ evidence: own.value.trim() });
    else own.focus();
  };
  own.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) say();
  });
  return element("div", {},
    element("ul", { class: "choices" }, choices.map((choice) => element("li", {}, choiceButton(choice, decide)))),
    element("div", { class: "field" }, element("label", { for: own.id, text: "Or say what is meant, in your own words" }),
      element("div", { class: "bar" }, own, button("Use this", say))));
}

function choiceButton(choice, decide) {
  return button(visible(choice, { lines: true }), () => decide({ choice }), { class: "choice" });
}
