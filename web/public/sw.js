// Adds the headers of cross-origin isolation to the files of this page, which plain hosting does not send: they allow
// threads. Nothing is cached, and only this page's own files are requested.
self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || !event.request.url.startsWith(self.registration.scope)) return;
  event.respondWith(fetch(event.request).then(isolated));
});

function isolated(reply) {
  if (reply.type === "opaque" || reply.type === "error") return reply;
  const headers = new Headers(reply.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  const hasBody = ![101, 204, 205, 304].includes(reply.status);
  return new Response(hasBody ? reply.body : null, { status: reply.status, statusText: reply.statusText, headers });
}
