// The drawing board: by mouse, finger, pen or keyboard. What is drawn is handed on as a PNG file after each stroke.

const KEPT = 30; // steps that Undo can take back
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function makeBoard({ canvas, cursor, size, shade, colour, eraser, undo, clear, penState, gray, ground, onDrawing }) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const steps = [];
  const pen = { x: canvas.width / 2, y: canvas.height / 2, down: false, pointer: null };

  function ink() {
    if (eraser.getAttribute("aria-pressed") === "true") return ground;
    return gray ? `rgb(${shade.value} ${shade.value} ${shade.value})` : colour.value;
  }

  function wipe() {
    context.fillStyle = ground;
    context.fillRect(0, 0, canvas.width, canvas.height);
  }

  function remember() {
    steps.push(context.getImageData(0, 0, canvas.width, canvas.height));
    if (steps.length > KEPT) steps.shift();
  }

  function line(x, y) {
    context.strokeStyle = ink();
    context.lineWidth = Number(size.value);
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(pen.x, pen.y);
    context.lineTo(x, y);
    context.stroke();
    [pen.x, pen.y] = [x, y];
  }

  function handOn() {
    canvas.toBlob((blob) => onDrawing(blob), "image/png");
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * canvas.width) / box.width,
      ((event.clientY - box.top) * canvas.height) / box.height,
    ];
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pen.pointer !== null || event.button !== 0) return;
    event.preventDefault();
    lift();
    canvas.setPointerCapture(event.pointerId);
    pen.pointer = event.pointerId;
    remember();
    [pen.x, pen.y] = place(event);
    line(pen.x, pen.y);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen.pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) line(...place(each));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pen.pointer) return;
      pen.pointer = null;
      handOn();
    });
  }

  // By keyboard: a ring shows where the pen is.
  function showCursor() {
    const shown = canvas.getBoundingClientRect().width / canvas.width;
    const across = Math.max(12, Number(size.value) * shown);
    cursor.style.width = cursor.style.height = `${across}px`;
    cursor.style.left = `${pen.x * shown}px`;
    cursor.style.top = `${pen.y * shown}px`;
    cursor.classList.toggle("down", pen.down);
    cursor.hidden = !canvas.matches(":focus-visible");
  }

  function lift() {
    if (!pen.down) return;
    pen.down = false;
    penState.textContent = "The pen is up.";
    handOn();
    showCursor();
  }

  function toggle() {
    if (pen.down) return lift();
    remember();
    pen.down = true;
    penState.textContent = "The pen is down.";
    line(pen.x, pen.y);
    return showCursor();
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " ") {
      if (!event.repeat) toggle();
    } else if (event.key === "Enter") {
      lift();
      handOn();
    } else if (MOVES[event.key]) {
      const far = event.shiftKey ? 2 : 10;
      const [x, y] = MOVES[event.key].map((way, axis) => {
        const at = axis ? pen.y : pen.x;
        return Math.min(canvas.width, Math.max(0, at + way * far));
      });
      if (pen.down) line(x, y);
      else [pen.x, pen.y] = [x, y];
      showCursor();
    } else {
      return;
    }
    event.preventDefault();
  });
  canvas.addEventListener("focus", showCursor);
  canvas.addEventListener("blur", () => {
    lift();
    cursor.hidden = true;
  });

  eraser.addEventListener("click", () => {
    eraser.setAttribute("aria-pressed", String(eraser.getAttribute("aria-pressed") !== "true"));
  });
  for (const field of [shade, colour]) {
    field.addEventListener("input", () => eraser.setAttribute("aria-pressed", "false"));
  }
  undo.addEventListener("click", () => {
    if (!steps.length) return;
    context.putImageData(steps.pop(), 0, 0);
    handOn();
  });
  clear.addEventListener("click", () => {
    remember();
    wipe();
    handOn();
  });
  wipe();
}
