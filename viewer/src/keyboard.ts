// Keys of the viewer; controls.ts shows them.

export interface KeyActions {
  pan(dx: number, dy: number): void;
  zoom(factor: number): void;
  reset(): void;
  step(by: 1 | -1): void;
  cycleMode(): void;
  cycleColor(): void;
  toggle(name: "inliersOnly" | "unmatched" | "epipolar"): void;
  scaleLines(factor: number): void;
  blink(): void;
  /** Deselect; false if nothing is selected, so that Escape closes a dialog. */
  clear(): boolean;
}

const STEP = 60; // px

export function listenToKeys(root: HTMLElement, stage: HTMLElement, actions: KeyActions): void {
  const keys: Record<string, () => unknown> = {
    ArrowLeft: () => actions.pan(STEP, 0),
    ArrowRight: () => actions.pan(-STEP, 0),
    ArrowUp: () => actions.pan(0, STEP),
    ArrowDown: () => actions.pan(0, -STEP),
    "+": () => actions.zoom(1.25),
    "=": () => actions.zoom(1.25),
    "-": () => actions.zoom(0.8),
    "0": () => actions.reset(),
    n: () => actions.step(1),
    p: () => actions.step(-1),
    m: () => actions.cycleMode(),
    c: () => actions.cycleColor(),
    i: () => actions.toggle("inliersOnly"),
    u: () => actions.toggle("unmatched"),
    e: () => actions.toggle("epipolar"),
    "[": () => actions.scaleLines(1 / 1.5),
    "]": () => actions.scaleLines(1.5),
    " ": () => actions.blink(),
    Escape: () => actions.clear(),
  };
  root.addEventListener("keydown", (event) => {
    const action = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey || isTaken(event, stage)) return;
    if (action() !== false) event.preventDefault();
  });
}

/** Whether the focused control uses the key itself: letters in a list, arrows in a slider, space on a button. */
function isTaken(event: KeyboardEvent, stage: HTMLElement): boolean {
  const target = event.target as HTMLElement;
  if (target === stage) return false;
  return target.tagName === "SELECT" || !/^[a-z[\]]$/i.test(event.key);
}
