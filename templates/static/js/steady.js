// New content does not pull away what somebody is using. While a control is held down, an answer that would replace part
// of the page is left out, and whoever asked asks again afterwards: a button that is replaced between pressing and
// letting go is never clicked. Where the control with the focus is replaced by its like, that one gets the focus; what
// was unfolded stays so.
const CONTROLS = "button, a, label, summary, input";
const left = new Map(); // element that asked → the event it asked upon
let held = false;
let before = null; // { focused, unfolded } of what is about to be replaced

function release() {
  if (!held) return;
  // The click comes after the pointer went up; it must meet the page as it was.
  setTimeout(() => {
    held = false;
    for (const [asker, event] of left) {
      const source = event.target.isConnected ? event.target : asker;
      if (asker.isConnected) source.dispatchEvent(new CustomEvent(event.type, { bubbles: event.bubbles }));
    }
    left.clear();
  });
}

document.addEventListener("pointerdown", (event) => (held = Boolean(event.target.closest?.(CONTROLS))), true);
document.addEventListener("keydown", (event) => (held ||= event.key === " " && event.target.matches("button, summary")), true);
for (const end of ["pointerup", "pointercancel", "keyup"]) document.addEventListener(end, release, true);
document.addEventListener("pointermove", (event) => event.buttons === 0 && event.pointerType === "mouse" && release(), true);
window.addEventListener("blur", release);

// What tells a control from others on the page, as its text and where it leads.
function likeness(control) {
  const form = control.closest("form")?.getAttribute("action");
  const said = ["href", "name", "aria-label"].map((name) => control.getAttribute(name));
  return JSON.stringify([control.tagName, form, ...said, control.textContent.trim()]);
}

const alike = (tag, like) => [...document.querySelectorAll(tag)].filter((one) => likeness(one) === like);

// Which of those that are alike it is: several orders have the same fold.
function place(control) {
  const like = likeness(control);
  return [control.localName, like, alike(control.localName, like).indexOf(control)];
}

const find = ([tag, like, at]) => alike(tag, like)[at];

document.addEventListener("htmx:beforeSwap", (event) => {
  const { requestConfig, elt: asker, target } = event.detail;
  if (held && requestConfig.verb === "get" && requestConfig.triggeringEvent) {
    left.set(asker, requestConfig.triggeringEvent);
    event.preventDefault();
    return;
  }
  const focused = document.activeElement;
  before = {
    focused: target.contains(focused) && !focused.id ? place(focused) : null, // htmx minds ids
    unfolded: [...target.querySelectorAll("details[open] > summary")].map(place),
  };
});

document.addEventListener("htmx:afterSwap", () => {
  if (!before) return;
  for (const one of before.unfolded) find(one)?.parentElement.setAttribute("open", "");
  if (before.focused && document.activeElement === document.body) find(before.focused)?.focus({ preventScroll: true });
  before = null;
});
