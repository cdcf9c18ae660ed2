// The frame that training cuts: a click or a drag on the picture moves it, the sliders do the same. The form saves itself
// on "change"; where the frame may go is decided by the server, here it is only drawn.
for (const form of document.querySelectorAll("[data-crop]")) {
  const picture = form.querySelector("[data-crop-picture]");
  const x = form.querySelector('[name="focus_x"]');
  const y = form.querySelector('[name="focus_y"]');
  if (!x || !y) continue;

  const share = (name) => parseFloat(picture.style.getPropertyValue(name)) / 100;
  const place = (focus, size) => `${100 * Math.min(Math.max(focus - size / 2, 0), 1 - size)}%`;
  const draw = () => {
    picture.style.setProperty("--left", place(Number(x.value), share("--width")));
    picture.style.setProperty("--top", place(Number(y.value), share("--height")));
  };
  form.addEventListener("input", draw);

  const point = (event) => {
    const box = picture.getBoundingClientRect();
    for (const [input, at] of [[x, (event.clientX - box.left) / box.width], [y, (event.clientY - box.top) / box.height]]) {
      input.value = String(Math.min(Math.max(at, 0), 1));
      input.dispatchEvent(new Event("input", { bubbles: true }));
    }
  };
  picture.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    picture.setPointerCapture(event.pointerId);
    point(event);
  });
  picture.addEventListener("pointermove", (event) => {
    if (picture.hasPointerCapture(event.pointerId)) point(event);
  });
  picture.addEventListener("pointerup", (event) => {
    if (!picture.hasPointerCapture(event.pointerId)) return;
    picture.releasePointerCapture(event.pointerId);
    x.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
