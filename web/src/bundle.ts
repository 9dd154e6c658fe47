// Bundles of `tiepoint export`: the manifest, and the files with their digests.

/** Part of `manifest.json` that the page uses; `tiepoint.runtimes.manifest` describes the fields. */
export interface Manifest {
  format: string;
  format_version: number;
  name: string;
  target: string;
  extractor: {
    name: string;
    kind: string;
    license: string;
    graph: string;
    descriptor_dim: number;
    max_keypoints: number | null;
    fixed_keypoints: boolean;
    preprocessing: {
      resize: number | null;
      upscale: boolean;
      size_multiple: number;
      min_side: number;
      fixed_size: [number, number] | null;
    };
  };
  matcher: {
    name: string;
    type: "lightglue" | "nearest";
    license: string;
    layers: number;
    adaptive: Adaptive | null;
    single: string | null;
  };
  graphs: { name: string; file: string; inputs: { name: string; dtype: string }[] }[];
  files: { name: string; bytes: number; sha256: string }[];
}

/** The adaptive form: graphs for a loop in the host. */
export interface Adaptive {
  encode: string;
  layers: string[];
  assign: string[];
  depth_confidence: number;
  width_confidence: number;
  pruning_min_keypoints: number;
  confidence_thresholds: number[];
}

const FORMAT = "tiepoint-bundle";
const FORMAT_VERSION = 1;

/** A bundle whose files are those of its manifest. */
export class Bundle {
  private constructor(
    private readonly folder: string,
    readonly manifest: Manifest,
  ) {}

  /**
   * Read the manifest of a bundle.
   *
   * @param folder URL of the bundle, with a slash at the end.
   */
  static async open(folder: string): Promise<Bundle> {
    const reply = await request(`${folder}manifest.json`);
    return new Bundle(folder, checkManifest(await reply.json(), folder));
  }

  /** Number of bytes of all files. */
  get bytes(): number {
    return this.manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Inputs of a graph. */
  inputs(name: string): { name: string; dtype: string }[] {
    return this.graph(name).inputs;
  }

  /** Read the ONNX file of a graph, and compare its digest with the manifest. */
  async read(name: string): Promise<Uint8Array> {
    const { file } = this.graph(name);
    const content = new Uint8Array(await (await request(this.folder + file)).arrayBuffer());
    const entry = this.manifest.files.find((row) => row.name === file);
    if (entry && (await isChanged(content, entry))) {
      throw new Error(`${file} of the bundle ${this.manifest.name} was changed after the export; export the bundle again`);
    }
    return content;
  }

  private graph(name: string): Manifest["graphs"][number] {
    const found = this.manifest.graphs.find((graph) => graph.name === name);
    if (!found) throw new Error(`the bundle ${this.manifest.name} has no graph '${name}'; export the bundle again`);
    return found;
  }
}

/** Check the format of a manifest. */
export function checkManifest(manifest: Manifest, folder: string): Manifest {
  if (manifest?.format !== FORMAT) {
    throw new Error(`${folder}manifest.json: expected format '${FORMAT}', got '${manifest?.format}'; export the bundle again`);
  }
  if (manifest.format_version > FORMAT_VERSION) {
    throw new Error(
      `${folder}: format version ${manifest.format_version} is newer than ${FORMAT_VERSION}, the newest that this page ` +
        "reads; build the page again",
    );
  }
  if (manifest.target !== "onnx") {
    throw new Error(`${folder}: expected a bundle for onnx, got '${manifest.target}'; export it with --to onnx`);
  }
  return manifest;
}

async function isChanged(content: Uint8Array, entry: { bytes: number; sha256: string }): Promise<boolean> {
  if (content.length !== entry.bytes) return true;
  if (!globalThis.crypto?.subtle) return false; // on hosts without HTTPS
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content as BufferSource));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== entry.sha256;
}

async function request(url: string): Promise<Response> {
  const reply = await fetch(url);
  if (!reply.ok) throw new Error(`cannot load ${url}: ${reply.status} ${reply.statusText}; build the page again`);
  return reply;
}
