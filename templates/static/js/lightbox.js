// The large view. Tiles with data-full inside [data-lightbox] open in it; ?picture=ID in the address opens it too, so a view
// can be shared, and back closes it. Its bar of verbs acts on the picture through judging.js; after a judgement the next
// open picture comes.
const dialog = document.querySelector("[data-lightbox-dialog]");
const tiles = () => [...document.querySelectorAll("[data-lightbox] [data-tile]")].filter((tile) => tile.dataset.full);
const tileOf = (id) => tiles().find((tile) => tile.dataset.tile === id);
const part = (name) => dialog.querySelector(`[data-${name}]`);
let current = null;
let pushed = false;

function address(id) {
  const url = new URL(location.href);
  if (id === null) url.searchParams.delete("picture");
  else url.searchParams.set("picture", id);
  return url;
}

async function fillPanel(tile) {
  const panel = part("panel");
  if (panel.hidden || panel.dataset.of === tile.dataset.tile) return;
  panel.dataset.of = tile.dataset.tile;
  if (!tile.dataset.detailUrl) {
    panel.replaceChildren();
    return;
  }
  panel.textContent = dialog.dataset.textLoading;
  try {
    const answer = await fetch(tile.dataset.detailUrl, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    if (current !== tile.dataset.tile) return;
    panel.innerHTML = html;
    window.htmx?.process(panel);
  } catch {
    panel.dataset.of = "";
    panel.textContent = dialog.dataset.textFailed;
  }
}

function neighbour(step) {
  const all = tiles();
  return all[all.findIndex((tile) => tile.dataset.tile === current) + step] ?? null;
}

function show(tile) {
  current = tile.dataset.tile;
  const all = tiles();
  const picture = part("picture");
  const small = tile.querySelector("img");
  picture.removeAttribute("src");
  picture.width = tile.dataset.fullWidth;
  picture.height = tile.dataset.fullHeight;
  picture.style.background = small?.currentSrc ? `center / contain no-repeat url("${small.currentSrc}")` : "";
  picture.alt = small?.alt ?? "";
  picture.onload = () => (picture.style.background = "");
  picture.src = tile.dataset.full;
  part("stage").classList.remove("is-zoomed");
  part("where").textContent = dialog.dataset.textWhere
    .replace("{n}", String(all.indexOf(tile) + 1))
    .replace("{all}", String(all.length));
  const caption = tile.querySelector("textarea")?.value ?? tile.querySelector(".tile__caption strong")?.textContent;
  part("caption").textContent = caption ?? small?.alt ?? "";
  showState(tile);
  // A small picture is shown at twice its size at most.
  picture.style.maxWidth = `${2 * tile.dataset.fullWidth}px`;
  picture.style.maxHeight = `${2 * tile.dataset.fullHeight}px`;
  dialog.querySelector('[data-do="panel"]').hidden = !tile.dataset.detailUrl;
  dialog.querySelector('[data-do="back"]').disabled = !neighbour(-1) && !edge("prev");
  dialog.querySelector('[data-do="on"]').disabled = !neighbour(1) && !edge("next");
  fillPanel(tile);
  for (const step of [1, -1]) {
    const next = neighbour(step);
    if (next) new Image().src = next.dataset.full;
  }
  // The page's further pictures come before one is at its end.
  if (all.length - all.indexOf(tile) < 5) document.querySelector("[data-lightbox] [data-pager][hx-get]")?.dispatchEvent(new Event("intersect"));
}

// What was said of the picture: its badge, and which of the verbs are pressed.
function showState(tile) {
  const { review, favourite, acts, reuse } = tile.dataset;
  if (part("enlarge")) part("enlarge").hidden = !acts;
  part("badge").replaceChildren(...[...tile.querySelectorAll(".tile__badge .badge")].map((badge) => badge.cloneNode(true)));
  const pressed = { favourite: favourite === "true", approve: review === "approved", reject: review === "rejected" };
  for (const button of dialog.querySelectorAll("[data-verbs] [data-do]")) {
    const what = button.dataset.do;
    button.hidden = what === "download" ? !review || (review !== "approved" && "approvedOnly" in dialog.dataset) : what === "organise" ? !document.querySelector("[data-organise]") : !acts;
    if (what in pressed) button.setAttribute("aria-pressed", String(pressed[what]));
    if (what === "reopen") button.disabled = review === "open";
    if (what === "download") button.href = `${tile.querySelector(".tile__link").pathname}/download`;
    if (what === "reuse" && reuse) button.href = reuse;
  }
}

function open(tile, { history: keep = true } = {}) {
  if (keep && !dialog.open) {
    history.pushState({ lightbox: true }, "", address(tile.dataset.tile));
    pushed = true;
  }
  if (!dialog.open) dialog.showModal();
  show(tile);
}

const edge = (rel) => document.querySelector(`[data-pager] a[rel="${rel}"]`)?.href ?? null;

function turn(step) {
  const next = neighbour(step);
  if (next) {
    history.replaceState(history.state, "", address(next.dataset.tile));
    show(next);
    return;
  }
  // Arrows cross the border of a page.
  const href = edge(step > 0 ? "next" : "prev");
  if (!href) return;
  const url = new URL(href);
  url.searchParams.set("picture", step > 0 ? "first" : "last");
  location.replace(url);
}

function close() {
  if (pushed) history.back();
  else {
    history.replaceState(null, "", address(null));
    dialog.close();
  }
}

// After a judgement: the next open picture, else the first that is still open.
function nextOpen() {
  const all = tiles();
  const here = all.findIndex((tile) => tile.dataset.tile === current);
  return [...all.slice(here + 1), ...all.slice(0, here)].find((tile) => tile.dataset.review === "open") ?? null;
}

function step(tile) {
  history.replaceState(history.state, "", address(tile.dataset.tile));
  show(tile);
}

const act = (what) => tileOf(current)?.dispatchEvent(new CustomEvent("livery:do", { bubbles: true, detail: { what } }));

if (dialog) {
  const actions = {
    close,
    back: () => turn(-1),
    on: () => turn(1),
    favourite: () => act("favourite"),
    approve: () => act("approve"),
    reject: () => act("reject"),
    reopen: () => act("reopen"),
    delete: () => act("delete"),
    more: () => order("more-like-this"),
    "enlarge/2": () => order("enlarge/2"),
    "enlarge/4": () => order("enlarge/4"),
    download: () => {},
    reuse: () => {},
    organise: () => document.dispatchEvent(new CustomEvent("livery:organise", { detail: { ids: [current] } })),
    help: () => document.getElementById("keys")?.showModal(),
    zoom: () => part("stage").classList.toggle("is-zoomed"),
    panel: () => {
      const panel = part("panel");
      panel.hidden = !panel.hidden;
      dialog.classList.toggle("has-panel", !panel.hidden);
      dialog.querySelector('[data-do="panel"]').setAttribute("aria-pressed", String(!panel.hidden));
      if (tileOf(current)) fillPanel(tileOf(current));
    },
  };
  const keys = { ArrowLeft: "back", ArrowRight: "on", f: "favourite", a: "approve", r: "reject", u: "reopen", d: "download", m: "more", e: "reuse", o: "organise", Delete: "delete", i: "panel", z: "zoom", "?": "help" };

  // In the studio the new order comes on top of the others; elsewhere its studio opens.
  const order = (path) => {
    const url = `${tileOf(current).dataset.acts}/${path}`;
    if (!document.querySelector("#results")) return act(path);
    close();
    window.htmx.ajax("POST", url, { target: "#results", swap: "afterbegin show:#results:top" });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-lightbox] .tile__link");
    if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    const tile = link.closest("[data-tile]");
    if (!tile?.dataset.full) return;
    event.preventDefault();
    open(tile);
  });
  dialog.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) actions[button.dataset.do]();
    else if (event.target.matches("[data-picture]")) actions.zoom();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select, dialog:not([data-lightbox-dialog])") || event.ctrlKey || event.metaKey || event.altKey) return;
    const what = keys[event.key] ?? keys[event.key.toLowerCase()];
    const button = what && dialog.querySelector(`[data-do="${what}"]`);
    if (!button || button.hidden) return;
    event.preventDefault();
    button.click();
  });
  dialog.addEventListener("cancel", (event) => {
    if (event.target !== dialog) return;
    event.preventDefault();
    close();
  });
  dialog.addEventListener("close", (event) => {
    if (event.target !== dialog) return;
    const tile = current && tileOf(current);
    current = null;
    tile?.querySelector(".tile__link")?.focus();
  });
  document.addEventListener("livery:marked", (event) => {
    const tile = dialog.open && event.detail.ids.includes(current) && tileOf(current);
    if (!tile) return;
    const judged = ["approve", "reject"].includes(event.detail.what) && event.detail.changed;
    const next = judged && nextOpen();
    if (next) return step(next);
    part("panel").dataset.of = "";
    show(tile);
  });
  // Deleted, here or elsewhere: what comes next takes its place.
  document.addEventListener("livery:gone", (event) => {
    if (!dialog.open || event.detail.id !== current) return;
    const next = nextOpen() ?? neighbour(1) ?? neighbour(-1);
    queueMicrotask(() => (next ? step(next) : close())); // once its tile is out of the page
  });
  document.addEventListener("livery:undone", (event) => {
    const tile = dialog.open && event.detail.ids.map(tileOf).find(Boolean);
    if (tile) step(tile);
  });
  let startX = null;
  part("stage").addEventListener("pointerdown", (event) => (startX = event.pointerType === "touch" ? event.clientX : null));
  part("stage").addEventListener("pointerup", (event) => {
    if (startX === null || part("stage").classList.contains("is-zoomed")) return;
    const way = event.clientX - startX;
    if (Math.abs(way) > 60) turn(way < 0 ? 1 : -1);
    startX = null;
  });

  const fromAddress = () => {
    const wanted = new URL(location.href).searchParams.get("picture");
    const all = tiles();
    const tile = wanted === "first" ? all[0] : wanted === "last" ? all.at(-1) : wanted && tileOf(wanted);
    if (tile) {
      open(tile, { history: false });
      history.replaceState(history.state, "", address(tile.dataset.tile));
    } else if (dialog.open) dialog.close();
  };
  addEventListener("popstate", () => {
    pushed = Boolean(history.state?.lightbox);
    fromAddress();
  });
  pushed = false;
  fromAddress();
}
