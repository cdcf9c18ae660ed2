// Review as a mode: each answer of the server is the next picture (htmx puts it here). Keys.js presses the verbs; here are
// the arrows, Escape and the swipe, and the pictures ahead are fetched before they are needed.
const review = () => document.querySelector("[data-review]");
const press = (name) => review().querySelector(`[data-do="${name}"]`)?.click();

function arrived() {
  const here = review().querySelector('[aria-current="true"]');
  if (!here) return;
  here.scrollIntoView({ inline: "center", block: "nearest" });
  let item = here.parentElement;
  for (let ahead = 0; ahead < 2; ahead++) {
    item = item?.nextElementSibling;
    const next = item?.querySelector("[data-full]");
    if (next) new Image().src = next.dataset.full;
  }
}

function at(id) {
  const url = new URL(location.href);
  if (id) url.searchParams.set("picture", id);
  else url.searchParams.delete("picture");
  return url.pathname + url.search;
}

const show = (id) => window.htmx.ajax("GET", at(id), { target: "#review", swap: "outerHTML" });

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, textarea, select") || document.querySelector("dialog[open], :popover-open")) return;
  const name = { ArrowLeft: "back", ArrowRight: "on", Escape: "leave" }[event.key];
  if (!name) return;
  event.preventDefault();
  press(name);
});

let startX = null;
document.addEventListener("pointerdown", (event) => (startX = event.pointerType === "touch" && event.target.closest("[data-stage]") ? event.clientX : null));
document.addEventListener("pointerup", (event) => {
  const way = startX === null ? 0 : event.clientX - startX;
  startX = null;
  if (Math.abs(way) > 60) press(way < 0 ? "on" : "back");
});

document.addEventListener("htmx:afterSettle", (event) => event.target.id === "review" && arrived());
document.addEventListener("livery:undone", (event) => show(event.detail.ids[0]));
// Gone for good: neither the picture nor its row is there. The server knows which one is next.
document.addEventListener("htmx:responseError", (event) => event.detail.xhr.status === 404 && show(null));
document.addEventListener("click", (event) => {
  const organise = event.target.closest("[data-organise-one]");
  if (organise) document.dispatchEvent(new CustomEvent("livery:organise", { detail: { ids: [organise.dataset.organiseOne] } }));
});
arrived();
