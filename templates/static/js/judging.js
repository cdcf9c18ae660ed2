// Judging: what a verb does to one picture (its tile's data-acts is the address) or to all that are chosen. A verb sets a
// state, never toggles one; only the star knows both ways. The answer is the tiles again, which take their places here;
// livery:marked says what was done, livery:gone that a picture was deleted elsewhere, livery:undone what is as it was.
const SETS = ["favourite", "approve", "reject", "reopen", "keep"];
const tileOf = (id) => document.getElementById(`picture-${id}`);
const places = new Map(); // where an undo leads → the place whose tiles it changed: a page may have several
let busy = false;

const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
const toast = (text, kind) => tell("livery:toast", { text, kind });
const stateOf = (tile) => tile && `${tile.dataset.review} ${tile.dataset.favourite}`;

function parsed(html) {
  const box = document.createElement("template");
  box.innerHTML = html.trim();
  return box.content;
}

function triggers(answer) {
  try {
    return JSON.parse(answer.headers.get("HX-Trigger") ?? "{}");
  } catch {
    return {};
  }
}

// A tile is chosen and has the focus as before.
function put(fresh) {
  const old = tileOf(fresh.dataset.tile);
  if (!old) return;
  const focused = old.contains(document.activeElement);
  const chosen = old.querySelector("[data-select]")?.checked ?? false;
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
  if (chosen) fresh.querySelector("[data-select]").checked = true;
  if (focused) (fresh.querySelector(".tile__link") ?? fresh.querySelector("a, button"))?.focus();
}

// Whoever was signed out meanwhile signs in over the page (signed-out.js), or closes that.
function isBack() {
  const dialog = document.querySelector("#sign-in-again");
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "back"), { once: true }));
}

// Sends, shows what the answer says, and puts its tiles in place. Returns the tiles' ids; null where it was refused.
async function send(url, body) {
  if (busy) return null;
  busy = true;
  try {
    const answer = await fetch(url, {
      method: "POST",
      body,
      credentials: "same-origin",
      headers: { "X-CSRF-Token": document.querySelector('meta[name="csrf-token"]').content, "HX-Request": "true" },
    });
    if (answer.status === 401) {
      busy = false;
      tell("livery:signed-out");
      return (await isBack()) ? send(url, body) : null;
    }
    const content = parsed(await answer.text());
    if (!answer.ok) {
      // A refusal comes with its sentence; a broken answer has none that a reader could use.
      toast((answer.headers.has("HX-Retarget") && content.textContent.trim()) || document.body.dataset.textError, "error");
      return answer.status === 404 ? undefined : null;
    }
    if (answer.headers.has("HX-Redirect")) {
      location.assign(answer.headers.get("HX-Redirect"));
      return null;
    }
    for (const [name, detail] of Object.entries(triggers(answer))) {
      if (detail?.undo_url) places.set(detail.undo_url, new URLSearchParams(url.split("?")[1]).get("place"));
      tell(name, detail);
    }
    const tiles = [...content.querySelectorAll("[data-tile]")];
    tiles.forEach(put);
    return tiles.map((tile) => tile.dataset.tile);
  } catch {
    toast(document.body.dataset.textOffline, "error");
    return null;
  } finally {
    busy = false;
  }
}

async function one(tile, what) {
  const { acts, place, tile: id } = tile.dataset;
  if (!acts) return;
  const path = { favourite: tile.dataset.favourite === "true" ? "unfavourite" : "favourite", more: "more-like-this" }[what] ?? what;
  const before = stateOf(tile);
  const answered = await send(`${acts}/${path}?place=${place}`, new URLSearchParams());
  if (answered === null) return;
  if (answered === undefined || what === "delete") {
    tell("livery:gone", { id });
    tileOf(id)?.remove();
  }
  tell("livery:marked", { what, ids: [id], changed: stateOf(tileOf(id)) !== before });
}

async function many(form, submitter) {
  const what = submitter.dataset.do;
  const body = new URLSearchParams(new FormData(form));
  body.delete("csrf_token"); // the header has the one that counts
  const chosen = body.getAll("ids").map(tileOf);
  const starred = what === "favourite" && chosen.every((tile) => tile?.dataset.favourite === "true");
  const ids = await send(`/gallery/selection/${starred ? "unfavourite" : what}`, body);
  if (ids) tell("livery:marked", { what, ids, changed: true });
}

document.addEventListener("livery:do", (event) => {
  const tile = event.target.closest("[data-tile]");
  if (tile) one(tile, event.detail.what);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-tile] [data-do]");
  if (!button) return;
  event.preventDefault();
  one(button.closest("[data-tile]"), button.dataset.do);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.matches("[data-selection]") && SETS.includes(event.submitter?.dataset.do)) {
    event.preventDefault();
    many(form, event.submitter);
    return;
  }
  const undo = form.closest("[data-toast]") && new URL(form.action).pathname;
  if (!undo?.startsWith("/gallery/changes/")) return;
  event.preventDefault();
  form.closest("[data-toast]").remove();
  const place = places.get(undo) ?? document.querySelector("[data-tile][data-place]")?.dataset.place ?? "gallery";
  const ids = await send(`${undo}?place=${place}`, new URLSearchParams());
  if (!ids) return;
  tell("livery:undone", { ids });
  tell("livery:marked", { what: "undo", ids, changed: true });
});

document.addEventListener("keydown", (event) => {
  if (event.key.toLowerCase() !== "z" || event.shiftKey || !(event.ctrlKey || event.metaKey)) return;
  if (event.target.closest?.("input:not([type=checkbox]), textarea, select")) return;
  const last = [...document.querySelectorAll("[data-toast] form")].pop();
  if (!last) return;
  event.preventDefault();
  last.requestSubmit();
});

// Tags and campaign: for the chosen pictures, or for those that livery:organise names.
function organise(ids) {
  const form = document.querySelector("[data-organise]");
  if (!form || !ids.length) return;
  const fields = ids.map((id) => Object.assign(document.createElement("input"), { type: "hidden", name: "ids", value: id }));
  form.querySelector("[data-ids]").replaceChildren(...fields);
  form.closest("dialog").showModal();
}
document.addEventListener("livery:organise", (event) => organise(event.detail.ids));
document.addEventListener("click", (event) => {
  const scope = event.target.closest('[data-selection] [data-do="organise"]')?.closest("[data-selection]");
  if (scope) organise([...scope.querySelectorAll("[data-select]:checked")].map((box) => box.value));
});

// A gallery that the browser had put aside shows what was true then.
addEventListener("pageshow", (event) => event.persisted && document.querySelector("#gallery-counts") && location.reload());
