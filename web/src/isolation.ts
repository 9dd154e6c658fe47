// Threads need a page that is isolated from other origins. Plain hosting cannot set the headers for it: a service worker
// does, from the first reload on.

const RELOADED = "tiepoint-isolated";
const TIMEOUT_MS = 2000; // the page starts without a service worker that does not

/** Register the service worker, and reload the page once if it takes effect. */
export async function isolate(): Promise<void> {
  if (crossOriginIsolated || !isSecureContext || !("serviceWorker" in navigator)) return;
  try {
    await navigator.serviceWorker.register("sw.js");
  } catch {
    return; // private windows; one thread remains
  }
  const isActive = navigator.serviceWorker.ready.then(() => true);
  if (!(await Promise.race([isActive, wait(TIMEOUT_MS)]))) return;
  if (sessionStorage.getItem(RELOADED)) return; // the browser does not isolate pages this way
  sessionStorage.setItem(RELOADED, "1");
  location.reload();
  await new Promise(() => undefined); // nothing else starts before the reload
}

function wait(milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => setTimeout(() => resolve(false), milliseconds));
}
