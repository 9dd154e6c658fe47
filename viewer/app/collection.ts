// The tab Collection: many images, matched and reconstructed; a run outlives the page and the server.
import { element } from "../src/dom";
import { ImageSet } from "./images";
import { times } from "./report";
import { Runner } from "./runner";
import { call, post, type Job } from "./server";
import { readSettings } from "./settings";
import { button } from "./slot";

interface Model {
  images?: number;
  registered?: number;
  points?: number;
  mean_reprojection_error_px?: number;
  reason?: string;
}

interface Report {
  files: number;
  images: number;
  pairs: number;
  matches: number;
  verified: number;
  inliers: number;
  seconds: Record<string, number>;
  problems: string[];
  model: Model | null;
}

type Collection = Job & { request: { folder: string; pairs: string; preset: string } };

const STORED = "tiepoint-collections"; // in this browser: the ids are secret
const find = (id: string) => document.getElementById(id)!;

export function startCollection(): void {
  const images = new ImageSet("Images of the collection");
  find("collection-images").replaceWith(images.root);
  const runner = new Runner("collection", () => runNew());

  const runNew = async () => {
    const create = async () => post<Collection>("collections", { ...readSettings("collection-settings"), ...(await images.values()) });
    const made = await runner.withRetry(create, () => images.readAgain());
    remember(made.id);
    await follow(made.id);
  };

  const follow = async (id: string) => {
    location.hash = `collection=${id}`;
    find("collection-result").hidden = true;
    await runner.follow(`collections/${id}`);
    await show(id);
  };

  const resume = (id: string) =>
    runner.attempt(async () => {
      await post(`collections/${id}/run`, {});
      await follow(id);
    });

  const remove = (id: string) =>
    runner.attempt(async () => {
      await post(`collections/${id}/remove`, {});
      forget(id);
      find("collection-result").hidden = true;
      history.replaceState(null, "", "#collection");
      await listEarlier(open);
    });

  const show = async (id: string) => {
    showCollection(await call<Collection>(`collections/${id}`), () => resume(id), () => remove(id));
    await listEarlier(open);
  };

  const open = (id: string) =>
    runner.attempt(async () => {
      const { state } = await call<Collection>(`collections/${id}`);
      if (state === "queued" || state === "running") await follow(id);
      else await show(id);
    });

  const asked = /^#collection=([\w-]+)$/.exec(location.hash);
  if (asked) {
    remember(asked[1]);
    void open(asked[1]);
  }
  void listEarlier(open);
}

function showCollection(collection: Collection, onResume: () => void, onRemove: () => void): void {
  const { state, result } = collection;
  const path = `collections/${collection.id}`;
  const parts: HTMLElement[] = [];
  if (state === "done") parts.push(...reportParts(result, path));
  else parts.push(element("h2", {}, collection.error || "The run was interrupted; finished work is kept."));
  const buttons = element("div", { class: "buttons" }, button(state === "done" ? "Run again" : "Resume", onResume), button("Remove collection", onRemove));
  find("collection-result").hidden = false;
  find("collection-result").replaceChildren(...parts, buttons);
}

function reportParts(report: Report, path: string): HTMLElement[] {
  const { model } = report;
  const links = [element("a", { href: `${path}/report.html`, target: "_blank", rel: "noopener" }, "Report")];
  if (model?.points) links.push(element("a", { href: `${path}/model.zip`, download: "model.zip" }, "Model (COLMAP, ZIP)"));
  links.push(element("a", { href: `${path}/view.html`, target: "_blank", rel: "noopener" }, "View in a window of its own"));
  return [
    element("h2", {}, modelText(model, report)),
    element("p", {}, `${count(report.images)} of ${count(report.files)} images, ${count(report.pairs)} pairs, ${count(report.verified)} verified, ${count(report.matches)} matches, ${count(report.inliers)} inliers`),
    element("div", { class: "downloads" }, ...links),
    ...(report.problems.length ? [element("h3", {}, "Problems"), element("ul", {}, ...report.problems.map((text) => element("li", {}, text)))] : []),
    element("iframe", { class: "report", title: "3-D view, match graph and pairs", src: `${path}/view.html`, sandbox: "allow-scripts" }),
    element("div", { class: "details" }, times(report.seconds)),
  ];
}

function modelText(model: Model | null, report: Report): string {
  if (!model) return `${count(report.verified)} of ${count(report.pairs)} pairs verified`;
  if (!model.points) return `No 3-D model: ${model.reason ?? "no suitable pair"}`;
  const error = (model.mean_reprojection_error_px ?? 0).toFixed(2);
  return `3-D model of ${model.registered} of ${model.images} images, ${count(model.points)} points, mean error ${error} px`;
}

function count(value: number): string {
  return (value ?? 0).toLocaleString("en");
}

/** Links to the collections of this browser. */
async function listEarlier(open: (id: string) => Promise<void>): Promise<void> {
  const rows = await Promise.all(
    stored().map(async (id) => {
      try {
        return { id, collection: await call<Collection>(`collections/${id}`) };
      } catch {
        return null;
      }
    }),
  );
  const buttons = rows.flatMap((row) => (row ? [button(label(row.collection), () => void open(row.id))] : []));
  const list = element("span", { class: "buttons" }, ...buttons);
  find("collection-earlier").replaceChildren(...(buttons.length ? ["Collections of this browser: ", list] : []));
}

function label({ state, request, result }: Collection): string {
  const images = result?.images ? `${result.images} images` : request.folder || "uploads";
  return `${images}, ${request.preset}: ${state}`;
}

function stored(): string[] {
  try {
    const ids: unknown = JSON.parse(localStorage.getItem(STORED) ?? "[]");
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string").slice(-20) : [];
  } catch {
    return [];
  }
}

function remember(id: string): void {
  store([...stored().filter((each) => each !== id), id]);
}

function forget(id: string): void {
  store(stored().filter((each) => each !== id));
}

function store(ids: string[]): void {
  try {
    localStorage.setItem(STORED, JSON.stringify(ids));
  } catch {
    // a browser without storage: the address of the page still names the collection
  }
}
