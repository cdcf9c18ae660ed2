// How long ago something was stays true while the page is open: <time datetime="…" data-ago>. Words and bounds are those of
// the server, and so is the clock: this machine's may be wrong.
const UNITS = [
  ["year", 31536000],
  ["month", 2592000],
  ["week", 604800],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
];
const ENOUGH = 0.85; // of a unit, to speak in it
const EVERY = 5000;
const served = Date.parse(document.querySelector('meta[name="served-at"]').content);
const ahead = Date.now() - served;
const words = new Intl.RelativeTimeFormat(document.documentElement.lang);

function say(time) {
  const seconds = (Date.parse(time.dateTime) - (Date.now() - ahead)) / 1000;
  const [unit, length] = UNITS.find(([, one]) => Math.abs(seconds) / one >= ENOUGH) ?? UNITS.at(-1);
  const count = Math.round(Math.abs(seconds) / length);
  const said = words.format(seconds > 0 ? count : -count, unit);
  if (time.textContent !== said) time.textContent = said;
}

function all() {
  if (!document.hidden) for (const time of document.querySelectorAll("time[data-ago]")) say(time);
}

setInterval(all, EVERY);
document.addEventListener("visibilitychange", all);
