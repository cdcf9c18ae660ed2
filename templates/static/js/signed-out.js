// Whoever is signed out while a page is open signs in over the page, and what was refused is sent again. The dialog shows
// the pages of signing in, second step and passkey included. A page that went on with another session's token gets the
// new one; somebody else, or whoever cannot see this page any more, is taken to a page of their own.
const dialog = document.querySelector("#sign-in-again");
const place = dialog?.querySelector("[data-sign-in]");
const { person, workspace } = document.body.dataset;
const BY_HAND = ["click", "submit", "change", "input", "keydown", "keyup"];
const refused = new Map(); // element → what to send again
let dismissed = false;
let asking = false; // for the form, which is not there yet

function offline() {
  document.dispatchEvent(new CustomEvent("livery:toast", { detail: { text: document.body.dataset.textOffline, kind: "error" } }));
}

async function read(url) {
  const answer = await fetch(url, { headers: { accept: "text/html" } });
  const found = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { path: new URL(answer.url).pathname, found };
}

const tokenOf = (found) => found.querySelector('meta[name="csrf-token"]')?.content ?? "";

function show(found) {
  place.setAttribute("hx-headers", found.body.getAttribute("hx-headers"));
  place.replaceChildren(...[...found.querySelector(".bare__card").children].filter((one) => one.localName !== "h1"));
  for (const control of place.querySelectorAll("[id]")) control.id = `again-${control.id}`;
  for (const label of place.querySelectorAll("label[for]")) label.htmlFor = `again-${label.htmlFor}`;
  for (const control of place.querySelectorAll("[aria-describedby]")) control.removeAttribute("aria-describedby");
  window.htmx.process(place);
  import(dialog.dataset.passkeyModule).then(() => window.htmx.trigger(place, "htmx:load"));
  dialog.returnValue = "";
  if (!dialog.open) dialog.showModal();
  place.querySelector("[autofocus]")?.focus();
}

function wear(token) {
  document.querySelector('meta[name="csrf-token"]').content = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": token }));
  const within = [document, ...[...document.querySelectorAll("template")].map((one) => one.content)];
  for (const root of within) for (const field of root.querySelectorAll('[name="csrf_token"]')) field.value = token;
}

// A person of several workspaces comes in by the first; this page is one of the workspace that it was opened in.
async function comeBackTo(found) {
  if (found.body.dataset.workspace === workspace) return;
  const body = new URLSearchParams({ workspace_id: workspace, csrf_token: tokenOf(found) });
  await fetch("/workspace/switch", { method: "POST", body, redirect: "manual" });
}

function sendAgain() {
  const waiting = [...refused.values()];
  refused.clear();
  for (const { verb, path, source, event } of waiting) {
    if (!source.isConnected) continue;
    const pressed = event?.submitter;
    const values = pressed?.name ? { [pressed.name]: pressed.value } : {};
    window.htmx.ajax(verb, path, { source, event, values });
  }
  document.dispatchEvent(new CustomEvent("livery:signed-in"));
}

async function follow(url) {
  let answer;
  try {
    answer = await read(url);
  } catch {
    return offline();
  }
  const { path, found } = answer;
  if (path.startsWith("/sign-in")) return show(found);
  if (found.body.dataset.person !== person) return location.assign(url);
  await comeBackTo(found);
  wear(tokenOf(found));
  dialog.close("back");
  sendAgain();
}

// Several requests may be refused at once, and a form that comes a second time would empty the first.
async function open() {
  if (asking || dialog.open) return;
  asking = true;
  try {
    await follow(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  } finally {
    asking = false;
  }
}

if (dialog) {
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, elt, requestConfig: request } = event.detail;
    if (place.contains(elt)) {
      const next = xhr.getResponseHeader("HX-Redirect");
      if (!next) return;
      event.preventDefault();
      follow(next);
    } else if (xhr.status === 401) {
      event.preventDefault();
      const byHand = BY_HAND.includes(request.triggeringEvent?.type);
      if (byHand) refused.set(elt, { verb: request.verb, path: request.path, source: elt, event: request.triggeringEvent });
      // What the page asks by itself asks again anyway, and opens nothing that was just closed.
      if (byHand || !dismissed) open();
    }
  });
  document.addEventListener("livery:signed-out", open);
  dialog.addEventListener("close", () => {
    dismissed = dialog.returnValue !== "back";
    if (dismissed) refused.clear();
    place.replaceChildren();
  });
}
