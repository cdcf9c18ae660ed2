// What is painted over the start picture: a brush, or the same through four numbers. What goes with the form is a PNG of
// the painted part in a hidden field; without this script the rectangle's fields alone say it.
const COLOUR = "rgb(255, 64, 64)";

function prepare(box) {
  const canvas = box.querySelector("canvas");
  const field = box.querySelector('[name="mask"]');
  const size = box.querySelector("[data-brush]");
  const file = box.querySelector("[data-mask-file]");
  const sides = ["left", "top", "width", "height"].map((name) => box.querySelector(`[name="mask_${name}"]`));
  const pen = canvas.getContext("2d");
  let last = null;

  // Whoever paints wants a real change: the usual amount for a mask, until the slider was moved by hand; and it is said.
  const strength = box.querySelector('[name="start_strength"]');
  const moved = box.querySelector("[data-mask-moved]");
  let decided = false;
  strength.addEventListener("input", (event) => {
    decided ||= event.isTrusted;
    if (event.isTrusted) moved.hidden = true;
  });
  const distance = (value) => {
    if (decided) return;
    moved.hidden = value === usual;
    strength.value = value;
    strength.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const usual = strength.value;

  const changed = (from) => {
    distance("0.95");
    field.value = canvas.toDataURL("image/png");
    if (from !== "fields") for (const side of sides) side.value = "";
    box.classList.add("start--painted");
  };
  const clear = () => {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    field.value = "";
    distance(usual);
    for (const side of sides) side.value = "";
    box.classList.remove("start--painted");
  };
  const at = (event) => {
    const shown = canvas.getBoundingClientRect();
    return [(event.clientX - shown.left) * canvas.width / shown.width, (event.clientY - shown.top) * canvas.height / shown.height];
  };
  const stroke = (to) => {
    pen.globalCompositeOperation = box.querySelector("[data-rubber]").checked ? "destination-out" : "source-over";
    pen.strokeStyle = COLOUR;
    pen.lineWidth = Number(size.value) / 100 * Math.max(canvas.width, canvas.height);
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...(last || to));
    pen.lineTo(...to);
    pen.stroke();
    last = to;
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) stroke(at(event));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return;
    canvas.releasePointerCapture(event.pointerId);
    changed("brush");
  });

  // The keyboard's way: the four numbers paint one rectangle.
  const rectangle = () => {
    const [left, top, width, height] = sides.map((side) => Number(side.value) / 100);
    pen.globalCompositeOperation = "source-over";
    pen.clearRect(0, 0, canvas.width, canvas.height);
    if (!(width > 0 && height > 0)) return;
    pen.fillStyle = COLOUR;
    pen.fillRect(left * canvas.width, top * canvas.height, width * canvas.width, height * canvas.height);
    changed("fields");
  };
  for (const side of sides) side.addEventListener("input", rectangle);

  // A mask made elsewhere: white, or what is not transparent, counts as painted.
  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    if (!chosen) return;
    const picture = await createImageBitmap(chosen);
    clear();
    pen.globalCompositeOperation = "source-over";
    pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
    const read = pen.getImageData(0, 0, canvas.width, canvas.height);
    let opaque = true;
    for (let i = 3; i < read.data.length; i += 4) if (read.data[i] < 255) { opaque = false; break; }
    for (let i = 0; i < read.data.length; i += 4) {
      const painted = opaque ? read.data[i] : read.data[i + 3];
      read.data.set([255, 64, 64, painted], i);
    }
    pen.putImageData(read, 0, 0);
    changed("file");
  });
  box.querySelector("[data-mask-clear]").addEventListener("click", clear);
  box.classList.add("start--ready");
}

for (const box of document.querySelectorAll("[data-mask]")) prepare(box);
// One that comes while the page is open.
document.addEventListener("htmx:load", ({ detail: { elt } }) => {
  for (const box of elt.matches("[data-mask]") ? [elt] : elt.querySelectorAll("[data-mask]"))
    if (!box.classList.contains("start--ready")) prepare(box);
});
