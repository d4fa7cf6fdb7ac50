// Calls of the server. The key, if there is one, is kept in the session storage of this tab and sent as a header.

const KEY = "route-sql-key";
const FINAL = ["answer", "interrupt", "error"];

/** A call that failed: `code` of the server's error, or `unreachable` or `broken`, and a sentence for the reader. */
export class CallError extends Error {
  constructor(code, message, requestId = "") {
    super(message);
    this.code = code;
    this.requestId = requestId;
  }
}

/** The key of this tab, or null. */
export const keptKey = () => sessionStorage.getItem(KEY);
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

let askForKey = async () => false;

/** Set what asks for a key: called with whether one was refused; true once there is another. */
export function onKeyNeeded(asks) {
  askForKey = asks;
}

/** Call the server and read its JSON. */
export async function call(path, { method = "GET", body, signal } = {}) {
  const response = await sent(path, { method, body, signal, accept: "application/json" });
  return response.status === 204 ? null : readJson(response);
}

/** Fetch a file as it is, such as a report. */
export async function fetched(path) {
  return (await sent(path, { accept: "text/html" })).blob();
}

/**
 * Post and read the stream of events: each but the last goes to `onEvent(name, data)`; the last is returned.
 *
 * A stream that ends without its last event is a connection that broke.
 */
export async function stream(path, { body, signal, onEvent }) {
  const response = await sent(path, { method: "POST", body, signal, accept: "text/event-stream" });
  if (!(response.headers.get("Content-Type") ?? "").startsWith("text/event-stream")) return readJson(response);
  for await (const [name, data] of events(response.body, signal)) {
    if (name === "error") throw errorOf(data);
    if (FINAL.includes(name)) return data;
    onEvent(name, data);
  }
  throw broken();
}

async function sent(path, { method = "GET", body, signal, accept }) {
  const key = keptKey();
  const headers = { Accept: accept };
  if (key !== null) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await reached(path, { method, headers, signal, body: body && JSON.stringify(body) });
  if (response.ok) return response;
  // Another call may have asked for a key in the meantime.
  if (response.status === 401 && (keptKey() !== key || (await askForKey(key !== null)))) return sent(path, { method, body, signal, accept });
  if (response.status === 401) throw new CallError("no_token", "A key is needed: load the page again to enter one.");
  throw errorOf(await response.json().catch(() => ({})), response);
}

async function reached(path, options) {
  try {
    return await fetch(path, { ...options, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new CallError("unreachable", "The server can't be reached. Check that it runs, then try again.");
  }
}

async function readJson(response) {
  try {
    return parsed(await response.text());
  } catch {
    throw broken();
  }
}

function errorOf(data, response) {
  const error = data?.error ?? {};
  const status = response ? ` (status ${response.status})` : "";
  const message = error.message ?? `The server could not do this${status}. Try again.`;
  return new CallError(error.code ?? "error", message, error.request_id ?? "");
}

function broken() {
  return new CallError("broken", "The connection broke before the answer came. Check that the server runs, then ask again.");
}

/** The value of a JSON text; integers that a number can't hold exactly, such as ids of 64 bits, are a BigInt. */
export function parsed(text) {
  return JSON.parse(text, (_, value, context) => {
    const isExact = typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value);
    return isExact || !/^-?\d+$/.test(context?.source ?? "") ? value : BigInt(context.source);
  });
}

/** The events of a stream: pairs of a name and its JSON. */
async function* events(body, signal) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  try {
    while (true) {
      const { done, value } = await next(reader, signal);
      if (done) return;
      const blocks = (kept + value).replaceAll("\r\n", "\n").split("\n\n");
      kept = blocks.pop();
      yield* blocks.map(eventOf).filter((event) => event !== null);
    }
  } finally {
    reader.cancel().catch(() => {}); // nothing to cancel where the connection broke
  }
}

async function next(reader, signal) {
  try {
    return await reader.read();
  } catch (error) {
    throw signal?.aborted ? error : broken();
  }
}

function eventOf(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length ? [name, parsed(data.join("\n"))] : null;
}
