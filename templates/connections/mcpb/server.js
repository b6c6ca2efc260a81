// Carries MCP messages between an app (standard input and output, one JSON message a line) and a Hoursmith console (HTTP).
// Needs Node.js 18 or later and nothing else. The token is sent to the console's address alone.
"use strict";

const META_VERSION = "io.modelcontextprotocol/protocolVersion";
const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const { HOURSMITH_URL: address, HOURSMITH_API_TOKEN: token } = process.env;
const running = new Map();
let session, negotiated;

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

// What the console needs to route a message, which stateless revisions say in the message itself.
function headersFor({ method, params }) {
  const stateless = params?._meta?.[META_VERSION];
  const headers = {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "user-agent": "hoursmith-mcpb/{{ version }}",
    "mcp-protocol-version": stateless ?? negotiated,
    "mcp-session-id": session,
    "mcp-method": stateless && method,
    "mcp-name": stateless && (params.name ?? params.uri),
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

async function ask(line, message, signal) {
  const url = new URL(address);
  if (url.protocol !== "https:" && !LOOPBACK.includes(url.hostname)) {
    throw new Error(`The address ${address} must begin with https://`);
  }
  const response = await fetch(url, { method: "POST", headers: headersFor(message), body: line, redirect: "error", signal });
  const text = await response.text();
  if (response.status === 202 && !text) return undefined;
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`${url.host} answered with HTTP ${response.status} instead of an MCP message`);
  }
  if (message.method === "initialize" && answer.result) {
    session = response.headers.get("mcp-session-id") ?? undefined;
    negotiated = answer.result.protocolVersion;
  }
  // A refusal of the whole request, such as HTTP 401, names no message.
  return { ...answer, id: message.id };
}

async function carry(line) {
  let message;
  try {
    message = JSON.parse(line);
  } catch {
    return say({ jsonrpc: "2.0", id: null, error: { code: -32700, message: "Parse error" } });
  }
  const { id, method, params } = message;
  if (method === "notifications/cancelled") running.get(params?.requestId)?.abort();
  const isRequest = method !== undefined && id !== undefined;
  const stop = new AbortController();
  if (isRequest) running.set(id, stop);
  try {
    const answer = await ask(line, message, stop.signal);
    if (isRequest && answer) say(answer);
  } catch (error) {
    // A cancelled request is not answered (MCP, cancellation).
    if (!isRequest || stop.signal.aborted) return;
    const reason = error.cause?.code ?? error.cause?.message;
    const words = reason ? `The Hoursmith console at ${address} can’t be reached: ${reason}` : error.message;
    say({ jsonrpc: "2.0", id, error: { code: -32000, message: words } });
  } finally {
    running.delete(id);
  }
}

// Not the readline module, which also splits at line separators inside of a string.
let rest = "";
process.stdin.setEncoding("utf8").on("data", (piece) => {
  const lines = (rest + piece).split("\n");
  rest = lines.pop();
  for (const line of lines) if (line.trim()) carry(line);
});
