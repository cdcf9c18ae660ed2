// The large view. Tiles with data-full inside [data-lightbox] open in it; ?picture=ID in the address opens it too, so a view
// can be shared, and back closes it. F, A and R send the tile's POST address and put the answered tile in its place.
const dialog = document.querySelector("[data-lightbox-dialog]");
const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
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
  part("caption").textContent = caption ?? "";
  for (const what of ["favourite", "approve", "reject"]) {
    const button = dialog.querySelector(`[data-do="${what}"]`);
    button.hidden = !tile.dataset[`${what}Url`];
    if (what === "favourite") button.setAttribute("aria-pressed", tile.dataset.favourite ?? "false");
  }
  dialog.querySelector('[data-do="panel"]').hidden = !tile.dataset.detailUrl;
  dialog.querySelector('[data-do="back"]').disabled = !neighbour(-1) && !edge("prev");
  dialog.querySelector('[data-do="on"]').disabled = !neighbour(1) && !edge("next");
  fillPanel(tile);
  for (const step of [1, -1]) {
    const next = neighbour(step);
    if (next) new Image().src = next.dataset.full;
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

async function act(tile, what) {
  const url = tile.dataset[`${what}Url`];
  if (!url) return;
  if (what === "reject" && tile.dataset.rejectDialog) {
    const ask = document.getElementById(tile.dataset.rejectDialog);
    const form = ask?.querySelector("form[method=post]");
    if (form) {
      form.action = url;
      form.dataset.rejects = tile.dataset.tile;
      ask.showModal();
      return;
    }
  }
  await send(tile, url, new URLSearchParams());
}

async function send(tile, url, body) {
  const id = tile.dataset.tile;
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      credentials: "same-origin",
      headers: { "X-CSRF-Token": csrf, "HX-Request": "true", "HX-Target": tile.id },
    });
    const html = await answer.text();
    if (!answer.ok) throw new Error(answer.headers.has("HX-Retarget") ? textOf(html) : "");
    for (const [name, detail] of Object.entries(triggers(answer)))
      document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
    const box = document.createElement("template");
    box.innerHTML = html.trim();
    const fresh = box.content.querySelector("[data-tile]");
    if (fresh) {
      const focused = tile.contains(document.activeElement);
      tile.replaceWith(fresh);
      window.htmx?.process(fresh);
      if (focused) fresh.querySelector(".tile__link")?.focus();
    }
    if (dialog?.open && current === id && tileOf(id)) {
      part("panel").dataset.of = "";
      show(tileOf(id));
    }
  } catch (error) {
    // A refusal comes with its sentence; a lost connection or a broken answer has none that a reader could use.
    const text = (error.name === "Error" && error.message) || document.body.dataset.textError;
    document.body.dispatchEvent(new CustomEvent("livery:toast", { bubbles: true, detail: { text, kind: "error" } }));
  }
}

function textOf(html) {
  const box = document.createElement("template");
  box.innerHTML = html;
  return box.content.textContent.trim();
}

function triggers(answer) {
  const header = answer.headers.get("HX-Trigger");
  if (!header) return {};
  try {
    return JSON.parse(header);
  } catch {
    return { [header]: null };
  }
}

// Other modules (keys.js) ask for the same actions on a tile.
document.addEventListener("livery:do", (event) => act(event.target.closest("[data-tile]"), event.detail.what));

// The reason for a rejection, given in a dialog of the page.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const tile = form.dataset?.rejects && document.getElementById(`picture-${form.dataset.rejects}`);
  if (!tile) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  form.closest("dialog")?.close();
  form.reset();
  send(tile, form.action, body);
});

if (dialog) {
  const actions = {
    close,
    back: () => turn(-1),
    on: () => turn(1),
    favourite: () => act(tileOf(current), "favourite"),
    approve: () => act(tileOf(current), "approve"),
    reject: () => act(tileOf(current), "reject"),
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
  const keys = { ArrowLeft: "back", ArrowRight: "on", f: "favourite", a: "approve", r: "reject", i: "panel", z: "zoom", "?": "help" };

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
    if (!what) return;
    event.preventDefault();
    actions[what]();
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
