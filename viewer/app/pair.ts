// The two images that several tabs share.
import type { Runner } from "./runner";
import type { Job } from "./server";
import { Slot } from "./slot";

/** Two places for images. */
export class Pair {
  readonly slots: [Slot, Slot];

  constructor(root: HTMLElement) {
    this.slots = [new Slot("Image 0", (files) => this.readNext(1, files)), new Slot("Image 1", (files) => this.readNext(0, files))];
    root.replaceChildren(...this.slots.map((slot) => slot.root));
  }

  /** Run a job with both images; a server that was restarted gets them again. */
  async submit(runner: Runner, values: Record<string, unknown>): Promise<Job | null> {
    const again = () => Promise.all(this.slots.map((slot) => slot.readAgain()));
    return runner.withRetry(() => runner.run({ ...values, ...this.values() }), again);
  }

  private values(): Record<string, unknown> {
    const [slot0, slot1] = this.slots;
    if (!slot0.upload || !slot1.upload) throw new Error("choose two images first");
    return { image0: slot0.upload.id, image1: slot1.upload.id, mask0: slot0.mask, mask1: slot1.mask };
  }

  private readNext(side: number, files: File[]): void {
    if (files.length) void this.slots[side].read({ blob: files[0], name: files[0].name });
  }
}
