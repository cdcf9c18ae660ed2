// Short notices. The server sends HX-Trigger: {"livery:toast": {"text": "…", "undo_url": "…", "kind": "ok"}};
// our own modules dispatch the same event. While a dialog or a sheet is open, the notices move into it: all else is out of
// reach or behind it then.
const region = document.querySelector("[data-toasts]");
const template = document.querySelector("#toast-template");
const words = document.body.dataset;

function leave(toast) {
  toast.remove();
}

function stay(toast) {
  if (toast.classList.contains("toast--error")) return;
  let timer = 0;
  const start = () => (timer = setTimeout(() => leave(toast), toast.querySelector("form") ? 10000 : 5000));
  const stop = () => clearTimeout(timer);
  for (const name of ["pointerenter", "focusin"]) toast.addEventListener(name, stop);
  for (const name of ["pointerleave", "focusout"]) toast.addEventListener(name, () => (stop(), start()));
  start();
}

function place() {
  const over = [...document.querySelectorAll("[data-sheet], dialog[open]")];
  const open = over.filter((one) => one.matches(":modal, :popover-open")).pop();
  const home = open ?? document.body;
  if (region.parentElement !== home) home.append(region);
}

function show({ text, undo_url: undo = null, kind = "ok" }) {
  if (!region || !text) return;
  place();
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.className = `toast toast--${kind}`;
  toast.querySelector("p").textContent = text;
  if (undo) toast.querySelector("form").action = undo;
  else toast.querySelector("form")?.remove();
  const sign = { error: "#warning", note: "#info" }[kind];
  if (sign) {
    const use = toast.querySelector("use");
    use.setAttribute("href", use.getAttribute("href").replace(/#.*/, sign));
  }
  region.append(toast);
  while (region.children.length > 3) region.firstElementChild.remove();
  stay(toast);
}

function sentenceOf(xhr, place) {
  if (xhr.getResponseHeader("content-type")?.includes("json")) {
    try {
      return JSON.parse(xhr.responseText).sentence;
    } catch {
      return "";
    }
  }
  if (!place) return "";
  const box = document.createElement("template");
  box.innerHTML = xhr.responseText;
  return box.content.textContent.trim();
}

if (region) {
  for (const toast of region.children) stay(toast);
  document.addEventListener("livery:toast", (event) => show(event.detail ?? {}));
  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-toast-close]");
    if (close) leave(close.closest("[data-toast]"));
  });
  const home = () => region.parentElement !== document.body && document.body.append(region);
  document.addEventListener("close", home, true);
  document.addEventListener("toggle", (event) => event.target === region.parentElement && home(), true);
  // A refused form keeps its place for the sentence (.form-error, named by HX-Retarget). Anything else that was refused
  // leaves the page as it is and says so here; nothing of a failed answer is ever put into the page.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, elt } = event.detail;
    if (event.defaultPrevented || xhr.status < 400 || xhr.getResponseHeader("HX-Redirect")) return;
    const place = xhr.getResponseHeader("HX-Retarget");
    if (place && elt.querySelector(place.replace(/^find /, ""))) return;
    event.preventDefault();
    show({ text: sentenceOf(xhr, place) || words.textError, kind: "error" });
  });
  document.addEventListener("htmx:sendError", () => show({ text: words.textOffline, kind: "error" }));
}
