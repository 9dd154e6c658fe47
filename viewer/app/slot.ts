// The place of one image: drop, choose, camera, URL or server; its preview, and the mask drawn on it.
import { hasCamera, takePicture } from "../../web/src/camera";
import { element } from "../src/dom";
import { chooseFromRoot } from "./folders";
import { MaskEditor, type MaskValue } from "./mask";
import { addImage, config, type Source, type Upload } from "./server";

let slots = 0;

/** An image of the page, on the server. */
export class Slot {
  upload: Upload | null = null;
  readonly root: HTMLElement;
  private readonly preview = element("div", { class: "preview" }, "Drop an image here");
  private readonly name = element("p", { class: "name" });
  private readonly problem = element("p", { class: "problem", role: "alert" });
  private readonly masking = element("div", { class: "buttons", hidden: true });
  private readonly drawButton = button("Draw mask", () => this.toggleDrawing());
  private source: Source | null = null;
  private editor: MaskEditor | null = null;
  private reads = 0;

  /** `onFiles` gets further files that are dropped together with the first; `hasMask`: a mask can be drawn. */
  constructor(
    readonly title: string,
    private readonly onFiles: (files: File[]) => void = () => undefined,
    private readonly hasMask = true,
  ) {
    this.root = element(
      "div", { class: "slot", role: "group", "aria-label": title },
      element("h2", {}, title), this.preview, this.name, this.problem, this.buttons(), this.masking,
    );
    this.buildMasking();
    acceptDrops(this.root, (files) => {
      void this.read({ blob: files[0], name: files[0].name });
      this.onFiles(files.slice(1));
    });
  }

  get mask(): MaskValue | null {
    return this.editor?.value ?? null;
  }

  /** Bring an image to the server and show it; a problem is shown, and the previous image is dropped. */
  async read(source: Source): Promise<void> {
    const read = ++this.reads;
    this.problem.textContent = "";
    this.name.textContent = "Reading …";
    try {
      const upload = await addImage(source);
      if (read === this.reads) this.show(upload, source);
    } catch (error) {
      if (read !== this.reads) return;
      this.show(null, null);
      this.problem.textContent = (error as Error).message;
    }
  }

  /** Bring the image to the server again, which has forgotten it; the mask is kept. */
  async readAgain(): Promise<void> {
    if (this.source) this.upload = await addImage(this.source);
  }

  private buttons(): HTMLElement {
    const file = element("input", { type: "file", "aria-label": `Choose file for ${this.title.toLowerCase()}` });
    file.onchange = () => {
      if (file.files?.[0]) void this.read({ blob: file.files[0], name: file.files[0].name });
      file.value = "";
    };
    const all = element("div", { class: "buttons" }, element("label", { class: "file" }, file, element("span", {}, "Choose file")));
    if (hasCamera()) all.append(this.labeled("Use camera", () => this.useCamera()));
    if (config.has_root) all.append(this.labeled("From server", () => this.chooseFromRoot()));
    all.append(this.labeled("From URL", () => this.askForUrl()));
    return all;
  }

  private labeled(text: string, onClick: () => void): HTMLButtonElement {
    const made = button(text, onClick);
    made.setAttribute("aria-label", `${text}: ${this.title.toLowerCase()}`);
    return made;
  }

  private async useCamera(): Promise<void> {
    try {
      const blob = await takePicture();
      if (blob) await this.read({ blob, name: "camera.png" });
    } catch (error) {
      this.problem.textContent = (error as Error).message;
    }
  }

  private async chooseFromRoot(): Promise<void> {
    const path = await chooseFromRoot("image");
    if (path !== null) await this.read({ path });
  }

  private askForUrl(): void {
    const id = `url-${++slots}`;
    const input = element("input", { type: "url", id, required: true, placeholder: "https://" });
    const [load, close] = [button("Load", () => submit()), button("Close", () => dialog.remove())];
    const label = element("label", { for: id }, "Address of an image");
    const dialog = element("dialog", { "aria-label": "Image from a URL" }, label, element("p", {}, input), element("p", { class: "buttons" }, load, close));
    const submit = () => {
      dialog.remove();
      if (input.value) void this.read({ url: input.value });
    };
    input.onkeydown = (event) => event.key === "Enter" && submit();
    document.body.append(dialog);
    dialog.showModal();
  }

  private buildMasking(): void {
    const label = `Mask of ${this.title.toLowerCase()}`;
    const side = element("select", { "aria-label": label }, element("option", { value: "in" }, "keep inside"), element("option", { value: "out" }, "ignore inside"));
    side.onchange = () => this.editor && (this.editor.inside = side.value === "in");
    const clear = button("Clear mask", () => this.editor?.clear());
    this.drawButton.setAttribute("aria-pressed", "false");
    this.masking.append(this.drawButton, side, clear);
  }

  private toggleDrawing(): void {
    if (!this.editor) return;
    this.editor.isDrawing = !this.editor.isDrawing;
    this.drawButton.setAttribute("aria-pressed", String(this.editor.isDrawing));
  }

  private show(upload: Upload | null, source: Source | null): void {
    [this.upload, this.source] = [upload, source];
    this.masking.hidden = !upload || !this.hasMask;
    this.drawButton.setAttribute("aria-pressed", "false");
    if (!upload) {
      this.editor = null;
      this.name.textContent = "";
      this.preview.replaceChildren("Drop an image here");
      return;
    }
    const note = upload.note ? `, ${upload.note}` : "";
    this.name.textContent = `${upload.name}, ${upload.width} × ${upload.height} px${note}`;
    this.editor = new MaskEditor([upload.width, upload.height], () => undefined);
    const image = element("img", { src: `uploads/${upload.id}/preview`, alt: upload.name });
    this.preview.replaceChildren(element("div", { class: "stack" }, image, this.editor.canvas));
  }
}

/** Call back with files that are dropped on an element. */
export function acceptDrops(root: HTMLElement, onFiles: (files: File[]) => void): void {
  root.ondragover = (event) => {
    event.preventDefault();
    root.classList.add("over");
  };
  root.ondragleave = () => root.classList.remove("over");
  root.ondrop = (event) => {
    event.preventDefault();
    root.classList.remove("over");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) onFiles(files);
  };
}

export function button(text: string, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button" }, text);
  made.onclick = onClick;
  return made;
}
