// Mouse, pen and fingers: pan by dragging, zoom by wheel and pinch, hover and tap.

export interface PointerActions {
  pan(dx: number, dy: number, x: number, y: number): void;
  zoom(factor: number, x: number, y: number): void;
  hover(x: number, y: number, radius: number): void;
  leave(): void;
}

const MOUSE_RADIUS = 12;
const TOUCH_RADIUS = 26;
const TAP_DISTANCE = 8; // px that a finger may move in a tap

/** Call the actions with positions in px of the element. */
export function listen(target: HTMLElement, actions: PointerActions): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let moved = 0;

  const position = (event: MouseEvent) => {
    const box = target.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const radius = (event: PointerEvent) => (event.pointerType === "touch" ? TOUCH_RADIUS : MOUSE_RADIUS);

  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    if (pointers.size === 0) moved = 0;
    pointers.set(event.pointerId, position(event));
    target.setPointerCapture(event.pointerId);
  });

  target.addEventListener("pointermove", (event) => {
    const now = position(event);
    const last = pointers.get(event.pointerId);
    if (!last) return actions.hover(now.x, now.y, radius(event));
    const [others] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (others) {
      const before = Math.hypot(last.x - others.x, last.y - others.y);
      const after = Math.hypot(now.x - others.x, now.y - others.y);
      if (before > 0 && after > 0) actions.zoom(after / before, (now.x + others.x) / 2, (now.y + others.y) / 2);
    }
    const share = others ? 0.5 : 1; // the middle of two fingers moves half as far as one of them
    actions.pan(share * (now.x - last.x), share * (now.y - last.y), now.x, now.y);
    moved += Math.hypot(now.x - last.x, now.y - last.y);
    pointers.set(event.pointerId, now);
  });

  const release = (event: PointerEvent) => {
    const was = pointers.delete(event.pointerId);
    if (was && event.type === "pointerup" && moved < TAP_DISTANCE) {
      const { x, y } = position(event);
      actions.hover(x, y, radius(event));
    }
  };
  target.addEventListener("pointerup", release);
  target.addEventListener("pointercancel", release);
  target.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "mouse") actions.leave();
  });
  target.addEventListener("dblclick", (event) => {
    const { x, y } = position(event);
    actions.zoom(2, x, y);
  });
  target.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = position(event);
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      actions.zoom(Math.exp(-0.0015 * lines * event.deltaY), x, y);
    },
    { passive: false },
  );
}
