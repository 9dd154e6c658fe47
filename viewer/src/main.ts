// TiepointViewer.mount(element, data): show the matches of a pair in an element of a page.
import { parsePair, type PairData } from "./format";
import type { State } from "./state";
import { Viewer, type Options } from "./viewer";

/** A mounted viewer. */
export interface Handle {
  /** Current state, a copy. */
  readonly state: State & { zoom: number; center: [number, number] };
  /** Change part of the state, as the controls do. */
  set(change: Partial<State>): void;
  /** Move the keyboard focus to the images. */
  focus(): void;
  /** Remove the viewer from its element. */
  destroy(): void;
  /** Number of frames in which matches were drawn, to measure speed. */
  readonly frames: number;
}

/**
 * Show a pair in an element; a previous viewer in it is replaced.
 *
 * @param element Element of the page; its width is the viewer's.
 * @param data Pair in the format of docs/how-to/look-at-matches.md, as an object or as JSON.
 * @param options Options of the viewer.
 * @returns Handle, when both pictures are decoded. Invalid data is shown as one line, and rejects the promise.
 */
export async function mount(element: HTMLElement, data: PairData | string, options: Options = {}): Promise<Handle> {
  try {
    const viewer = await Viewer.create(element, parsePair(data), options);
    return {
      get state() {
        return { ...viewer.state, zoom: viewer.view.zoom, center: [...viewer.view.center] as [number, number] };
      },
      get frames() {
        return viewer.frames;
      },
      set: (change) => viewer.set(change),
      focus: () => viewer.focus(),
      destroy: () => viewer.destroy(),
    };
  } catch (error) {
    const message = document.createElement("p");
    message.setAttribute("role", "alert");
    message.textContent = `cannot show the matches: ${error instanceof Error ? error.message : error}`;
    (element.shadowRoot ?? element).replaceChildren(message);
    throw error;
  }
}
