// The page: two images, options, and the result.
import "../../src/tiepoint/html/templates/style.css";
import "./style.css";
import { element } from "../../viewer/src/dom";
import { Client } from "./client";
import { isolate } from "./isolation";
import { licenseList } from "./licenses";
import { readModelIndex, type BundleEntry, type ModelIndex, type SampleEntry } from "./models";
import { Report, stageName } from "./report";
import type { Backend } from "./runtime";
import { Slot } from "./slot";

const find = (id: string) => document.getElementById(id)!;
const select = (id: string) => find(id) as HTMLSelectElement;

/** The page with the models in its folder. */
class Page {
  private readonly client = new Client();
  private readonly report = new Report(find);
  private readonly slots = [0, 1].map((side) => new Slot(side, () => this.update()));
  private runs = 0;

  constructor(private readonly index: ModelIndex) {
    find("slots").replaceChildren(...this.slots.map((slot) => slot.root));
    select("preset").replaceChildren(...index.bundles.map(presetOption));
    for (const id of ["preset", "backend"]) select(id).onchange = () => this.update();
    const { sample } = index;
    find("sample").hidden = !sample;
    if (sample) find("sample").onclick = () => this.useSample(sample);
    this.say("Choose two images, or use the sample pair.");
  }

  private say(text: string): void {
    find("status").textContent = text;
  }

  private async useSample(sample: SampleEntry): Promise<void> {
    this.runs++; // matching starts once, when both images are read
    await Promise.all(sample.files.map((file, side) => this.slots[side].read(fetchBlob(file), file.split("/").pop()!, false)));
    await this.update();
  }

  /** Match the images as they are now; a newer run replaces an older one. */
  private async update(): Promise<void> {
    const run = ++this.runs;
    find("problem").textContent = "";
    this.report.hide();
    const [picture0, picture1] = this.slots.map((slot) => slot.picture);
    if (!picture0 || !picture1) {
      this.say(picture0 || picture1 ? "Choose the other image." : "Choose two images, or use the sample pair.");
      return;
    }
    this.say("Working …");
    const say = (text: string) => run === this.runs && this.say(text);
    try {
      const blobs = [picture0, picture1].map(({ name, blob }) => ({ name, blob })) as [typeof picture0, typeof picture1];
      const { result, loaded } = await this.client.match(this.setup(), blobs, (stage) => say(`Working: ${stageName(stage)} …`));
      if (run !== this.runs) return;
      await this.report.show(result, loaded, [picture0, picture1]);
      say("Done.");
    } catch (error) {
      say("");
      if (run === this.runs) find("problem").textContent = (error as Error).message;
    }
  }

  private setup() {
    const bundle = this.index.bundles[select("preset").selectedIndex];
    const base = new URL(".", location.href).href;
    return {
      folder: new URL(`models/${bundle.folder}/`, base).href,
      backend: select("backend").value as Backend,
      base,
      models: this.index.verification,
    };
  }
}

async function fetchBlob(file: string): Promise<Blob> {
  const reply = await fetch(file);
  if (!reply.ok) throw new Error(`cannot load ${file}: ${reply.status} ${reply.statusText}; build the page again`);
  return reply.blob();
}

function presetOption({ preset, bytes }: BundleEntry): HTMLOptionElement {
  return element("option", { value: preset }, `${preset} (${(bytes / 1e6).toFixed(0)} MB)`);
}

function explainMissingModels(): void {
  for (const id of ["sample", "preset", "backend"]) (find(id) as HTMLButtonElement).disabled = true;
  find("problem").replaceChildren(
    element("span", { class: "missing" }, "There are no models in the folder of this page. To export them, run ",
      element("code", {}, "make web"), " in a checkout of tiepoint, and serve the folder ", element("code", {}, "web/dist"), "."),
  );
}

async function start(): Promise<void> {
  await isolate();
  const index = await readModelIndex();
  find("licenses").replaceChildren(licenseList(index));
  if (index) new Page(index);
  else explainMissingModels();
  document.documentElement.dataset.ready = "true";
}

void start();
