// Choosing pictures: [data-selection] holds tiles with [data-select] boxes and one [data-selection-bar].
// Shift takes a range, Escape lets go. Tiles may come and go: everything is read when it is needed.
const scopeOf = (element) => element.closest("[data-selection]");
const boxes = (scope) => [...scope.querySelectorAll("[data-select]")];
const lastOf = new WeakMap();
let shift = false;

function show(scope) {
  const all = boxes(scope);
  const count = all.filter((box) => box.checked).length;
  scope.classList.toggle("is-selecting", count > 0);
  for (const bar of scope.querySelectorAll("[data-selection-bar]")) {
    bar.hidden = count === 0;
    const words = bar.querySelector("[data-selection-count]");
    words.textContent = count === 1 ? words.dataset.one : words.dataset.many.replace("#", String(count));
    for (const every of bar.querySelectorAll("[data-select-all]")) every.hidden = count === all.length;
  }
  scope.dispatchEvent(new CustomEvent("livery:selection", { bubbles: true, detail: { count } }));
}

function clear(scope) {
  for (const box of boxes(scope)) box.checked = false;
  show(scope);
}

document.addEventListener("click", (event) => (shift = event.shiftKey), true);

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!box.matches("[data-select]")) return;
  const scope = scopeOf(box);
  if (!scope) return;
  const all = boxes(scope);
  const last = lastOf.get(scope);
  if (shift && last && all.includes(last)) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    for (const one of all.slice(from, to + 1)) one.checked = box.checked;
  }
  lastOf.set(scope, box);
  show(scope);
});

document.addEventListener("click", (event) => {
  const scope = scopeOf(event.target);
  if (!scope) return;
  if (event.target.closest("[data-select-all]")) {
    for (const box of boxes(scope)) box.checked = true;
    show(scope);
  } else if (event.target.closest("[data-select-none]")) clear(scope);
  // While choosing, a click on a picture chooses too.
  const link = event.target.closest(".is-selecting .tile__link");
  if (link && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    event.stopPropagation();
    link.closest(".tile").querySelector("[data-select]")?.click();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open], :popover-open")) return;
  for (const scope of document.querySelectorAll("[data-selection].is-selecting")) clear(scope);
});

document.addEventListener("livery:marked", () => {
  for (const scope of document.querySelectorAll("[data-selection]")) show(scope);
});
document.addEventListener("htmx:afterSettle", () => {
  for (const scope of document.querySelectorAll("[data-selection]")) show(scope);
});
// The browser may bring chosen boxes back with the page.
addEventListener("pageshow", () => {
  for (const scope of document.querySelectorAll("[data-selection]")) if (boxes(scope).some((box) => box.checked)) show(scope);
});
