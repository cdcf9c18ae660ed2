// The ring at "Activity" goes when nothing runs any more: while it turns and the page is seen, it asks now and then.
const EVERY = 20000;
const ring = document.querySelector("[data-ring]");

async function look() {
  if (document.hidden || !ring?.hasAttribute("data-busy")) return;
  const answer = await fetch("/jobs/busy").catch(() => null);
  if (answer?.ok) ring.toggleAttribute("data-busy", (await answer.json()).busy);
}

setInterval(look, EVERY);
