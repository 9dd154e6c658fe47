// Requests to the worker as promises.
import type { NamedBlob, PairResult } from "./matcher";
import type { Loaded, Reply, Setup } from "./worker";

/** The worker of the page. */
export class Client {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private requests = 0;

  /** Match two images; `onStage` is called when a stage begins. */
  match(
    setup: Setup, images: [NamedBlob, NamedBlob], onStage: (stage: string) => void,
  ): Promise<{ result: PairResult; loaded: Loaded }> {
    const id = ++this.requests;
    return new Promise((resolve, reject) => {
      const finish = (action: () => void) => {
        this.worker.removeEventListener("message", receive);
        this.worker.removeEventListener("error", fail);
        action();
      };
      const receive = ({ data }: MessageEvent<Reply>) => {
        if (data.id !== id) return;
        if (data.kind === "stage") onStage(data.stage);
        else if (data.kind === "result") finish(() => resolve(data));
        else finish(() => reject(new Error(data.message)));
      };
      const fail = (event: ErrorEvent) => {
        finish(() => reject(new Error(event.message || "the worker of this page did not start; reload the page")));
      };
      this.worker.addEventListener("message", receive);
      this.worker.addEventListener("error", fail);
      this.worker.postMessage({ id, setup, images });
    });
  }
}
