// Keys among the pictures and everywhere. "?" shows them all.
// The verbs of a bar: that of the chosen pictures if there are any, else that of the page; without one, of the tile.
const VERBS = { f: "favourite", a: "approve", r: "reject", u: "reopen", d: "download", m: "more", e: "reuse", o: "organise", Delete: "delete" };
const TILES = ["favourite", "approve", "reject", "reopen"];
const help = document.querySelector("[data-keys-help]");
const writing = (element) => element.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");

function beside(link, key) {
  const links = [...document.querySelectorAll("[data-lightbox] .tile__link")];
  const here = links.indexOf(link);
  if (key === "ArrowLeft") return links[here - 1];
  if (key === "ArrowRight") return links[here + 1];
  // Up and down: the nearest picture of the next row, whatever its width.
  const box = link.getBoundingClientRect();
  const middle = box.left + box.width / 2;
  const down = key === "ArrowDown";
  const others = links
    .map((one) => ({ one, box: one.getBoundingClientRect() }))
    .filter((it) => (down ? it.box.top >= box.bottom - 4 : it.box.bottom <= box.top + 4));
  const edge = down ? Math.min(...others.map((it) => it.box.top)) : Math.max(...others.map((it) => it.box.bottom));
  const row = others.filter((it) => Math.abs((down ? it.box.top : it.box.bottom) - edge) < 40);
  const away = (it) => Math.abs(it.box.left + it.box.width / 2 - middle);
  return row.sort((a, b) => away(a) - away(b))[0]?.one;
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "?") {
    help?.showModal();
    event.preventDefault();
    return;
  }
  if (event.key === "/") {
    const field = document.querySelector("main input[type=search]");
    if (field) {
      field.focus();
      event.preventDefault();
    }
    return;
  }
  const what = VERBS[event.key] ?? VERBS[event.key.toLowerCase()];
  const bar = document.querySelector("[data-selection-bar]:not([hidden]) [data-verbs], main [data-verbs]:not([data-selection-bar] *)");
  if (what && bar) {
    const button = bar.querySelector(`[data-do="${what}"]:not([disabled])`);
    button?.click();
    if (button) event.preventDefault();
    return;
  }
  const link = event.target.closest?.("[data-lightbox] .tile__link");
  // Where nothing has the focus yet, an arrow goes to the first picture.
  const first = event.target === document.body && event.key.startsWith("Arrow") && document.querySelector("main [data-lightbox] .tile__link");
  if (first && !scrollY) {
    first.focus();
    event.preventDefault();
  }
  if (!link) return;
  const tile = link.closest("[data-tile]");
  if (event.key.startsWith("Arrow")) {
    const next = beside(link, event.key);
    if (!next) return;
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  } else if (event.key === " ") {
    tile.querySelector("[data-select]")?.click();
  } else {
    if (!TILES.includes(what)) return;
    tile.dispatchEvent(new CustomEvent("livery:do", { bubbles: true, detail: { what } }));
  }
  event.preventDefault();
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-keys-search]")) return;
  const words = event.target.value.trim().toLowerCase();
  for (const row of help.querySelectorAll(".keys li")) row.hidden = !row.textContent.toLowerCase().includes(words);
  for (const group of help.querySelectorAll("section")) group.hidden = !group.querySelector("li:not([hidden])");
});
