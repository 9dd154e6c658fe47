// The worker: loads a bundle and matches pairs, so that the page stays responsive.
import { Matcher, type NamedBlob, type PairResult } from "./matcher";
import type { Backend } from "./runtime";
import type { Models } from "./verification";

/** Bundle and backend that a request needs. */
export interface Setup {
  folder: string;
  backend: Backend;
  base: string;
  models: Models;
}

export interface Request {
  id: number;
  setup: Setup;
  images: [NamedBlob, NamedBlob];
}

/** What was loaded: the backend may differ from the one of the request. */
export interface Loaded {
  backend: Backend;
  threads: number;
  /** Reason why WebGPU is not used; "" if it is, or was not requested. */
  fallback: string;
  /** Time of loading the runtime and the bundle; 0 if both were loaded before. */
  seconds: number;
}

export type Reply =
  | { id: number; kind: "stage"; stage: string }
  | { id: number; kind: "result"; result: PairResult; loaded: Loaded }
  | { id: number; kind: "error"; message: string };

let current: { key: string; matcher: Matcher; fallback: string } | null = null;
let queue: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Request>) => {
  queue = queue.then(() => answer(data));
};

async function answer({ id, setup, images }: Request): Promise<void> {
  const send = (reply: Reply) => self.postMessage(reply);
  try {
    const start = performance.now();
    const key = `${setup.folder} ${setup.backend}`;
    const isLoaded = current?.key === key;
    if (!isLoaded) {
      send({ id, kind: "stage", stage: "load" });
      current = { key, ...(await load(setup)) };
    }
    const { matcher, fallback } = current!;
    const seconds = isLoaded ? 0 : (performance.now() - start) / 1000;
    const { backend, threads } = matcher.runtime;
    const result = await matcher.match(images, (stage) => send({ id, kind: "stage", stage }));
    send({ id, kind: "result", result, loaded: { backend, threads, fallback, seconds } });
  } catch (error) {
    send({ id, kind: "error", message: error instanceof Error ? error.message : String(error) });
  }
}

/** Load a bundle; WebGPU that does not work is replaced by WASM. */
async function load({ folder, backend, base, models }: Setup): Promise<{ matcher: Matcher; fallback: string }> {
  try {
    return { matcher: await Matcher.load(folder, backend, base, models), fallback: "" };
  } catch (error) {
    if (backend === "wasm") throw error;
    const fallback = error instanceof Error ? error.message : String(error);
    return { matcher: await Matcher.load(folder, "wasm", base, models), fallback };
  }
}
