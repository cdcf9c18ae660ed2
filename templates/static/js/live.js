// Pages that change by themselves. An element with data-live="<id of a training or generation>" (or "board") asks for
// itself anew when it gets livery:changed, and data-version says what it shows. One stream for each page that can be
// seen says what has changed; numbers go straight into every [data-numbers="<id>"]. Without a stream – the server has
// enough of them, the connection is lost, the page is in the background – elements ask every now and then instead.
const POLL = 2000;
const HIDDEN = 10000;
const REFRESH = 20000 + 20000 * Math.random(); // what no job's row tells, such as a worker that is gone
const TRY_AGAIN = 60000;
const asked = new WeakMap(); // element → { at, version }

let stream = null;
let followed = "";
let connected = false;
let closedUntil = 0;

const places = () => [...document.querySelectorAll("[data-live]")];

function ask(place, version = "") {
  asked.set(place, { at: Date.now(), version });
  place.dispatchEvent(new CustomEvent("livery:changed"));
}

function write(root, attribute, text) {
  for (const one of root.querySelectorAll(`[${attribute}]`)) one.textContent = text;
}

function showNumbers(news) {
  const percent = news.total ? Math.round((100 * news.done) / news.total) : null;
  for (const root of document.querySelectorAll(`[data-numbers="${news.of}"]`)) {
    const bar = root.querySelector("progress[value]");
    if (bar && news.total) bar.value = news.done;
    write(root, "data-done", news.words.done);
    if (news.words.left) write(root, "data-left", news.words.left);
    if (percent !== null) write(root, "data-percent", percent);
    if (percent !== null && root.dataset.progress) root.dataset.progress = percent;
  }
}

function hear(event) {
  const news = JSON.parse(event.data);
  if (news.of !== "board") showNumbers(news);
  for (const place of places()) {
    if (place.dataset.live !== news.of || place.dataset.version === news.version) continue;
    if (asked.get(place)?.version !== news.version) ask(place, news.version);
  }
  document.dispatchEvent(new CustomEvent("livery:numbers"));
}

function close() {
  stream?.close();
  stream = null;
  connected = false;
  followed = "";
}

function open(query) {
  close();
  followed = query;
  stream = new EventSource(`/live?${query}`);
  stream.onopen = () => (connected = true);
  stream.onmessage = hear;
  stream.onerror = () => {
    connected = false;
    if (stream?.readyState !== EventSource.CLOSED) return; // it connects again by itself
    close();
    closedUntil = Date.now() + TRY_AGAIN;
  };
}

// Whatever the page shows now is what the stream follows.
function follow() {
  const shown = [...new Set(places().map((place) => place.dataset.live))];
  const query = shown.slice(0, 50).map((id) => (id === "board" ? "board=1" : `of=${id}`)).sort().join("&");
  if (!query || document.hidden || !window.EventSource) close();
  else if (query !== followed && Date.now() > closedUntil) open(query);
}

function tick() {
  follow();
  const due = document.hidden ? HIDDEN : connected ? REFRESH : POLL;
  for (const place of places()) {
    if (!asked.has(place)) asked.set(place, { at: Date.now(), version: "" });
    else if (Date.now() - asked.get(place).at >= due) ask(place);
  }
}

setInterval(tick, 1000);
tick();
document.addEventListener("htmx:afterSettle", follow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const place of places()) ask(place);
  follow();
});
window.addEventListener("pagehide", close);
