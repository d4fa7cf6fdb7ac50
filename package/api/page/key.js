// The dialog that asks for a key where the server wants one.

import { forgetKey, keepKey, keptKey, onKeyNeeded } from "./client.js";

/** Connect the dialog, and the button that forgets the key. */
export function connectKeyDialog({ dialog, form, field, problem, forget, cancel }) {
  let waiting = null;

  function showForget() {
    forget.hidden = keptKey() === null;
  }

  /** Ask once, however many calls wait for a key. */
  function ask(wasRefused) {
    waiting ??= new Promise((resolve) => {
      problem.textContent = wasRefused ? "The server does not know this key. Check it, then try again." : "";
      field.value = "";
      dialog.returnValue = "";
      dialog.addEventListener("close", () => {
        waiting = null;
        showForget();
        resolve(dialog.returnValue === "given");
      }, { once: true });
      dialog.showModal();
      field.focus();
    });
    return waiting;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!/^[\x21-\x7e]+$/.test(field.value.trim())) {
      problem.textContent = "A key has letters, digits and signs, and no blanks. Copy it again.";
      field.focus();
      return;
    }
    keepKey(field.value.trim());
    dialog.close("given");
  });
  cancel.addEventListener("click", () => dialog.close(""));
  forget.addEventListener("click", () => {
    forgetKey();
    location.reload();
  });
  onKeyNeeded(ask);
  showForget();
}
