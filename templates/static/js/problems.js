// What is wrong with a field is said at the field. A refused form is answered with a sentence and a list of problems by
// field (partials/form_error.html); each of them moves to its field here, and stays listed where the page has no such
// field. What was filled in is never touched.
const icons = document.querySelector("#toast-template")?.content.querySelector("use")?.getAttribute("href") ?? "";

function formOf(element) {
  const within = element.closest("form");
  if (within) return within;
  const included = element.getAttribute("hx-include");
  return included ? document.querySelector(included) : element.querySelector("form");
}

function clear(form) {
  for (const said of form.querySelectorAll("[data-problem]")) {
    for (const control of form.querySelectorAll(`[aria-describedby~="${CSS.escape(said.id)}"]`)) {
      const others = control.getAttribute("aria-describedby").split(" ").filter((id) => id !== said.id);
      if (others.length) control.setAttribute("aria-describedby", others.join(" "));
      else control.removeAttribute("aria-describedby");
      control.removeAttribute("aria-invalid");
    }
    said.remove();
  }
}

function open(control) {
  for (let fold = control.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

function say(form, name, text) {
  const found = form.elements.namedItem(name);
  const controls = found instanceof RadioNodeList ? [...found] : found ? [found] : [];
  const control = controls.find((one) => one.type !== "hidden");
  if (!control) return null;
  const said = document.createElement("p");
  said.className = "field__error";
  said.id = `${name}-problem`;
  said.dataset.problem = "";
  said.innerHTML = `<svg class="icon icon--small" aria-hidden="true"><use href="${icons.replace(/#.*/, "#warning")}"></use></svg>`;
  said.append(document.createTextNode(text));
  const place = controls.length > 1 ? control.closest("fieldset") : control.closest(".field, .check, .switch");
  const hint = place?.matches(".field") ? place.querySelector(".field__hint") : null;
  if (hint) hint.before(said);
  else if (place?.matches("fieldset, .field")) place.append(said);
  else (place ?? control).after(said);
  const described = control.getAttribute("aria-describedby");
  control.setAttribute("aria-describedby", described ? `${said.id} ${described}` : said.id);
  control.setAttribute("aria-invalid", "true");
  open(control);
  return control;
}

document.addEventListener("htmx:afterRequest", (event) => {
  const { elt: asker, xhr } = event.detail;
  const form = asker.isConnected ? formOf(asker) : null;
  if (!form) return;
  clear(form);
  if (!xhr.getResponseHeader("HX-Retarget")) return;
  const answer = document.createElement("template");
  answer.innerHTML = xhr.responseText;
  let first = null;
  for (const problem of answer.content.querySelectorAll("[data-problem-of]")) {
    const control = say(form, problem.dataset.problemOf, problem.textContent);
    if (!control) continue;
    form.querySelector(`[data-problems] [data-problem-of="${CSS.escape(problem.dataset.problemOf)}"]`)?.remove();
    if (!first || control.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = control;
  }
  form.querySelector("[data-problems]:empty")?.remove();
  // Only who pressed the button is taken there; who is still writing stays where they write.
  if (asker === form) first?.focus();
});

// The browser's own check happens before anything is sent, and cannot point at a field that is folded away.
document.addEventListener("invalid", (event) => open(event.target), true);
