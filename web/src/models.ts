// The list of bundles in the folder of the page, written by tools/web_models.py.
import type { Models } from "./verification";

/** A bundle in the folder. */
export interface BundleEntry {
  /** Folder below models/. */
  folder: string;
  preset: string;
  about: string;
  bytes: number;
  /** Name, license and source of the weights. */
  weights: { name: string; license: string; source: string }[];
}

/** A pair of images in the folder. */
export interface SampleEntry {
  files: [string, string];
  about: string;
  source: string;
}

/** Content of models/index.json. */
export interface ModelIndex {
  bundles: BundleEntry[];
  sample: SampleEntry | null;
  verification: Models;
}

/** Read the list; null if the folder has no models. */
export async function readModelIndex(): Promise<ModelIndex | null> {
  try {
    const reply = await fetch("models/index.json");
    const index: ModelIndex | null = reply.ok ? await reply.json() : null;
    return index?.bundles.length ? index : null;
  } catch {
    return null; // a host may answer missing files with a page
  }
}
