// The place of one image: drop a file, choose one, or use the camera.
import { element } from "../../viewer/src/dom";
import { hasCamera, takePicture } from "./camera";
import { ACCEPTED, readPicture, type Picture } from "./inputs";

/** An image of the pair on the page. */
export class Slot {
  picture: Picture | null = null;
  readonly root: HTMLElement;
  private readonly preview = element("div", { class: "preview" }, "Drop an image here");
  private readonly name = element("p", { class: "name" });
  private readonly problem = element("p", { class: "problem", role: "alert" });

  /** `onChange` is called when the image has changed; `side` is 0 or 1. */
  constructor(
    readonly side: number,
    private readonly onChange: () => void,
  ) {
    const file = element("input", { type: "file", accept: ACCEPTED, "aria-label": `Choose file for image ${side}` });
    file.onchange = () => {
      if (file.files?.[0]) void this.read(file.files[0], file.files[0].name);
      file.value = "";
    };
    const buttons = element("div", { class: "buttons" }, element("label", { class: "file" }, file, element("span", {}, "Choose file")));
    if (hasCamera()) buttons.append(this.cameraButton());
    this.root = element(
      "div", { class: "slot" }, element("h2", {}, `Image ${side}`), this.preview, this.name, this.problem, buttons,
    );
    this.acceptDrops();
  }

  private cameraButton(): HTMLButtonElement {
    const button = element("button", { type: "button", "aria-label": `Use camera for image ${this.side}` }, "Use camera");
    button.onclick = () => this.attempt(async () => {
      const blob = await takePicture();
      return blob && readPicture(blob, `camera-${this.side}.png`);
    });
    return button;
  }

  private acceptDrops(): void {
    this.root.ondragover = (event) => {
      event.preventDefault();
      this.root.classList.add("over");
    };
    this.root.ondragleave = () => this.root.classList.remove("over");
    this.root.ondrop = (event) => {
      event.preventDefault();
      this.root.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) void this.read(file, file.name);
    };
  }

  /** Read a file; a problem is shown, and the previous image is dropped. `notify`: call `onChange`. */
  read(blob: Blob | Promise<Blob>, name: string, notify = true): Promise<void> {
    return this.attempt(async () => readPicture(await blob, name), notify);
  }

  private async attempt(read: () => Promise<Picture | null>, notify = true): Promise<void> {
    this.problem.textContent = "";
    try {
      const picture = await read();
      if (picture) this.show(picture);
    } catch (error) {
      this.show(null);
      this.problem.textContent = (error as Error).message;
    }
    if (notify) this.onChange();
  }

  private show(picture: Picture | null): void {
    this.picture = picture;
    this.preview.replaceChildren(picture ? thumbnail(picture) : "Drop an image here");
    this.name.textContent = picture ? `${picture.name}, ${picture.width} × ${picture.height} px` : "";
  }
}

function thumbnail({ name, shown }: Picture): HTMLCanvasElement {
  const scale = Math.min(1, 640 / Math.max(shown.width, shown.height));
  const [width, height] = [shown.width, shown.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = element("canvas", { width, height, role: "img", "aria-label": name });
  canvas.getContext("2d")!.drawImage(shown, 0, 0, canvas.width, canvas.height);
  return canvas;
}
