// After a rejection: why, for whoever wants to say. The picture is rejected already and the next one is there, so nothing
// waits for a reason: W goes to the small field, Enter sends it, Escape leaves it.
const asking = () => document.querySelector("[data-why]:not([hidden])");
const here = document.querySelector("main [data-review]") ? null : document.querySelector("[data-why]");

function ask(ids) {
  const fields = ids.map((id) => Object.assign(document.createElement("input"), { type: "hidden", name: "ids", value: id }));
  here.querySelector("[data-ids]").replaceChildren(...fields);
  here.elements.reason.value = "";
  (document.querySelector("dialog[open]") ?? document.body).append(here);
  here.hidden = false;
}

if (here) {
  document.addEventListener("livery:marked", ({ detail }) => {
    if (detail.what === "reject" && detail.changed) ask(detail.ids);
    else here.hidden = true;
  });
  here.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) leave(here);
  });
}

function leave(form) {
  form.elements.reason.blur();
  form.hidden = true;
  form.closest("dialog")?.querySelector("[data-stage]")?.focus();
}

document.addEventListener("keydown", (event) => {
  const form = asking();
  if (!form || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (form.contains(event.target)) {
    if (event.key === "Escape") {
      event.preventDefault();
      leave(form);
    }
  } else if (event.key.toLowerCase() === "w" && !event.target.closest?.("input:not([type=checkbox]), textarea, select")) {
    event.preventDefault();
    form.elements.reason.focus();
  }
});
