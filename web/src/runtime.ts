// ONNX Runtime Web, from the folder ort/ of the page: WASM with SIMD, and with threads where the page is isolated; or
// WebGPU.
import type * as Ort from "onnxruntime-web";
import type { NamedValues, Session } from "./lightglue";

export type Backend = "wasm" | "webgpu";

const MAX_THREADS = 8;
const MODULES: Record<Backend, string> = { wasm: "ort/ort.wasm.min.mjs", webgpu: "ort/ort.webgpu.min.mjs" };

/** ONNX Runtime Web with one backend. */
export class Runtime {
  private constructor(
    private readonly ort: typeof Ort,
    readonly backend: Backend,
    readonly threads: number,
  ) {}

  /**
   * Load the runtime.
   *
   * @param backend WebGPU needs a browser and a graphics card that support it.
   * @param base URL of the page's folder.
   */
  static async load(backend: Backend, base: string): Promise<Runtime> {
    if (backend === "webgpu" && !(await navigator.gpu?.requestAdapter())) {
      throw new Error("this browser or graphics card does not support WebGPU");
    }
    const ort: typeof Ort = await import(/* @vite-ignore */ new URL(MODULES[backend], base).href);
    const threads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MAX_THREADS) : 1;
    ort.env.wasm.wasmPaths = new URL("ort/", base).href;
    ort.env.wasm.numThreads = threads;
    ort.env.logLevel = "error";
    return new Runtime(ort, backend, threads);
  }

  /** Load a graph from the content of its file. */
  async open(model: Uint8Array): Promise<Session> {
    const session = await this.ort.InferenceSession.create(model, { executionProviders: [this.backend], logSeverityLevel: 3 });
    return { run: async (inputs) => session.run(this.tensors(inputs)) as Promise<NamedValues> };
  }

  private tensors(inputs: NamedValues): Record<string, Ort.Tensor> {
    return Object.fromEntries(
      Object.entries(inputs).map(([name, { data, dims }]) => {
        const type = data instanceof BigInt64Array ? "int64" : "float32";
        return [name, new this.ort.Tensor(type, data as Float32Array, dims)];
      }),
    );
  }
}
