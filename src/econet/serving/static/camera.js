// The camera: on only while its panel is open, and its pictures go nowhere but to this page's own server.

export function makeCamera({ panel, toggle, viewfinder, take, onPicture, onTrouble }) {
  let stream = null;

  function close() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    viewfinder.srcObject = null;
    panel.hidden = true;
    toggle.setAttribute("aria-expanded", "false");
  }

  async function open() {
    toggle.setAttribute("aria-expanded", "true");
    panel.hidden = false;
    try {
      const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
      if (panel.hidden) {
        // Closed again before the camera was granted.
        for (const track of found.getTracks()) track.stop();
        return;
      }
      stream = found;
      viewfinder.srcObject = stream;
      await viewfinder.play();
    } catch (error) {
      close();
      const denied = error.name === "NotAllowedError";
      onTrouble({
        error: "the camera cannot be used",
        why: denied ? "the browser was told not to let this page use it" : error.message || error.name,
        try: denied ? "allow the camera for this address in the browser, or choose a file" : "choose a file instead",
      });
    }
  }

  toggle.addEventListener("click", () => (panel.hidden ? open() : close()));
  take.addEventListener("click", () => {
    if (!viewfinder.videoWidth) return;
    const still = document.createElement("canvas");
    still.width = viewfinder.videoWidth;
    still.height = viewfinder.videoHeight;
    still.getContext("2d").drawImage(viewfinder, 0, 0);
    still.toBlob((blob) => onPicture(blob, "camera"), "image/png");
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); });
  if (!navigator.mediaDevices?.getUserMedia) toggle.hidden = true;
  return { close };
}
