// One picture from the camera, in a dialog.
import { element } from "../../viewer/src/dom";

/** Whether this page may ask for the camera: it needs HTTPS or localhost. */
export function hasCamera(): boolean {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Show the camera until a picture is taken; null if the user cancels. */
export async function takePicture(): Promise<Blob | null> {
  const stream = await openCamera();
  const video = element("video", { autoplay: true, playsinline: true, muted: true, "aria-label": "Camera" });
  video.srcObject = stream;
  const [take, cancel] = [element("button", { type: "button" }, "Take picture"), element("button", { type: "button" }, "Cancel")];
  take.disabled = true;
  const dialog = element("dialog", { class: "camera", "aria-label": "Camera" }, video, element("p", {}, take, cancel));
  document.body.append(dialog);
  dialog.showModal();
  video.onloadeddata = () => (take.disabled = false);
  try {
    const isTaken = await new Promise<boolean>((resolve) => {
      take.onclick = () => resolve(true);
      cancel.onclick = dialog.oncancel = () => resolve(false);
    });
    return isTaken ? await frameOf(video) : null;
  } finally {
    for (const track of stream.getTracks()) track.stop();
    dialog.remove();
  }
}

async function openCamera(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (error) {
    throw new Error(`cannot open the camera: ${(error as Error).message}; allow this page to use it, or choose a file`);
  }
}

/** Return the current frame as PNG, without loss. */
function frameOf(video: HTMLVideoElement): Promise<Blob | null> {
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d")!.drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
