// The state of the page is its address: what is seen can be sent as a link, and Back goes back.

/**
 * @typedef {object} Address
 * @property {string} view
 * @property {string} q
 * @property {string} since
 * @property {string} until
 * @property {boolean} live
 * @property {string} id
 */

/** @type {(() => void)[]} */
const listeners = [];

/** The window where none is named. @param {string} view */
function usualSince(view) {
  return view === "workers" ? "1h" : "15m";
}

/** @returns {Address} */
export function read() {
  const search = new URLSearchParams(location.search);
  const view = search.get("view") ?? "logs";
  return {
    view,
    q: search.get("q") ?? "",
    since: search.get("since") ?? usualSince(view),
    until: search.get("until") ?? "",
    live: search.get("live") === "1",
    id: search.get("id") ?? "",
  };
}

/** The address of a state. @param {Partial<Address>} change @returns {string} */
export function link(change) {
  const next = { ...read(), ...change };
  const search = new URLSearchParams();
  if (next.view !== "logs") search.set("view", next.view);
  if (next.view === "trace") {
    if (next.id) search.set("id", next.id);
  } else {
    if (next.q) search.set("q", next.q);
    // A window that nobody chose is not taken along.
    const since = change.since ?? new URLSearchParams(location.search).get("since");
    if (since && since !== usualSince(next.view)) search.set("since", since);
    if (next.until) search.set("until", next.until);
    if (next.live && !next.until) search.set("live", "1");
  }
  const text = search.toString();
  return text ? `/?${text}` : "/";
}

/** The search of the logs that was seen last: the address of a trace has none. */
let lastLogs = read().view === "logs" ? location.pathname + location.search : "/";

/** The address of the logs as they were left. */
export function logsLink() {
  return lastLogs;
}

/** Goes to an address of this page. @param {string} target */
export function goTo(target) {
  if (target !== location.pathname + location.search) history.pushState(null, "", target);
  tell();
}

/** Goes to a state; `replace` leaves no step for Back. @param {Partial<Address>} change @param {boolean} [replace] */
export function go(change, replace = false) {
  const target = link(change);
  if (replace) {
    history.replaceState(null, "", target);
    tell();
  } else goTo(target);
}

/** @param {() => void} listener */
export function watch(listener) {
  listeners.push(listener);
}

function tell() {
  if (read().view === "logs") lastLogs = location.pathname + location.search;
  for (const listener of listeners) listener();
}

addEventListener("popstate", tell);

// Links within the page change its state, and load nothing.
addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target.closest("a") : null;
  if (!target || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey)
    return;
  if (target.origin !== location.origin || target.pathname !== "/" || target.target) return;
  event.preventDefault();
  if (target.href !== location.href) history.pushState(null, "", target.href);
  tell();
});
