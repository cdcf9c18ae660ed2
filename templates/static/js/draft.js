// What somebody has begun to write waits in this browser until it is sent: a field with data-draft="<brand>:<what>" gets
// it back where it would else be empty. Signing out takes all of it away, and nobody else who signs in here sees it.
const OURS = "livery:draft:";
const mine = `${OURS}${document.body.dataset.person}:`;
const keyOf = (field) => mine + field.dataset.draft;

// Storage may be full or closed; then nothing is kept, and the page works on.
function keep(key, text) {
  try {
    if (text.trim()) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    return;
  }
}

function forget(unwanted) {
  try {
    for (const key of Object.keys(localStorage)) if (key.startsWith(OURS) && unwanted(key)) localStorage.removeItem(key);
  } catch {
    return;
  }
}

function bringBack(field) {
  let text = null;
  try {
    text = localStorage.getItem(keyOf(field));
  } catch {
    return;
  }
  if (!text || field.value || field.defaultValue) return;
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

if (document.body.dataset.person) {
  forget((key) => !key.startsWith(mine));
  for (const field of document.querySelectorAll("[data-draft]")) bringBack(field);
  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-draft]")) keep(keyOf(event.target), event.target.value);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const { elt: form, xhr, requestConfig } = event.detail;
    const done = xhr.status >= 200 && xhr.status < 400;
    if (!done || requestConfig.verb === "get" || !(form instanceof HTMLFormElement)) return;
    for (const field of form.querySelectorAll("[data-draft]")) keep(keyOf(field), "");
  });
  document.addEventListener("submit", (event) => {
    if (new URL(event.target.action).pathname === "/sign-out") forget(() => true);
  });
}
