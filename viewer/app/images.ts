// A set of images: dropped or chosen files, or a folder of the server.
import { element } from "../src/dom";
import { chooseFromRoot } from "./folders";
import { addImage, config, type Source, type Upload } from "./server";
import { acceptDrops, button } from "./slot";

/** Many images of the page, on the server. */
export class ImageSet {
  readonly root: HTMLElement;
  private uploads: Upload[] = [];
  private sources: Source[] = [];
  private folder: string | null = null;
  private readonly count = element("div", { class: "preview", role: "status" }, "Drop images here");
  private readonly list = element("ul", { class: "name" });
  private readonly problem = element("p", { class: "problem", role: "alert" });
  private pending: Promise<void> = Promise.resolve();

  constructor(private readonly title: string) {
    const file = element("input", { type: "file", multiple: true, "aria-label": `Choose files for ${title.toLowerCase()}` });
    file.onchange = () => {
      this.add([...(file.files ?? [])]);
      file.value = "";
    };
    const buttons = element("div", { class: "buttons" }, element("label", { class: "file" }, file, element("span", {}, "Choose files")));
    if (config.has_root) buttons.append(button("Folder on server", () => void this.chooseFolder()));
    buttons.append(button("Remove all", () => this.clear()));
    this.root = element("div", { class: "drop", role: "group", "aria-label": title }, element("h2", {}, title), this.count, this.list, this.problem, buttons);
    acceptDrops(this.root, (files) => this.add(files));
  }

  /** Values of a job: ids of images, or a folder; waits for uploads that are on their way. */
  async values(): Promise<{ images: string[] } | { folder: string }> {
    await this.pending;
    if (this.folder !== null) return { folder: this.folder };
    if (!this.uploads.length) throw new Error(`choose ${this.title.toLowerCase()} first`);
    return { images: this.uploads.map(({ id }) => id) };
  }

  /** Bring the images to the server again, which has forgotten them. */
  async readAgain(): Promise<void> {
    this.uploads = await Promise.all(this.sources.map(addImage));
  }

  private add(files: File[]): void {
    this.folder = null;
    this.problem.textContent = "";
    this.pending = this.pending.then(() => this.read(files));
  }

  /** One after the other, so that a slow network shows progress. */
  private async read(files: File[]): Promise<void> {
    for (const [k, blob] of files.entries()) {
      this.count.textContent = `Reading ${k + 1} of ${files.length} …`;
      const source = { blob, name: blob.name };
      try {
        this.uploads.push(await addImage(source));
        this.sources.push(source);
      } catch (error) {
        this.problem.append(element("span", {}, (error as Error).message), element("br"));
      }
    }
    this.show();
  }

  private async chooseFolder(): Promise<void> {
    const folder = await chooseFromRoot("folder");
    if (folder === null) return;
    this.clear();
    this.folder = folder;
    this.count.textContent = folder === "." ? "The folder of the server" : folder;
  }

  private clear(): void {
    [this.uploads, this.sources, this.folder] = [[], [], null];
    this.problem.textContent = "";
    this.show();
  }

  private show(): void {
    const { length } = this.uploads;
    this.count.textContent = length ? `${length} ${length === 1 ? "image" : "images"}` : "Drop images here";
    const notes = this.uploads.filter(({ note }) => note).map(({ name, note }) => element("li", {}, `${name}: ${note}`));
    this.list.replaceChildren(...notes);
  }
}
