// A form goes out once; a page that comes back from the browser's memory has forgotten what was typed.
"use strict";
for (const form of document.forms) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) {
      button.disabled = true;
      button.textContent = "One moment\u2026";
    }
  });
}
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
