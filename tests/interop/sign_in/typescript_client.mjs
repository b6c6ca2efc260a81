// An official TypeScript client that signs in, a line of JSON at a time: first where to connect to, then a call a line.
// It answers with `open`, an address that its user must visit, to which the next line gives the `callback`; else with
// what came of the call, and its tokens.

import { createInterface } from "node:readline";

const sdk = {
  1: async () => ({
    ...(await import("@modelcontextprotocol/sdk/client/index.js")),
    ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
  }),
  2: () => import("@modelcontextprotocol/client"),
};

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const heard = async () => JSON.parse((await lines.next()).value ?? "null");
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n");

const job = await heard();
const { Client, StreamableHTTPClientTransport } = await sdk[job.sdk]();

// Keeps what the client would write to disk.
const kept = {};
const provider = {
  redirectUrl: job.redirect,
  clientMetadataUrl: job.document ?? undefined,
  clientMetadata: {
    client_name: job.name,
    redirect_uris: [job.redirect],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  },
  state: () => "a state of this client",
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  redirectToAuthorization: (address) => void (kept.asked = String(address)),
};
const shown = () => ({ access: kept.tokens?.access_token, refresh: kept.tokens?.refresh_token });

async function visited() {
  say({ open: kept.asked });
  const answer = new URL((await heard()).callback).searchParams;
  if (answer.has("error")) throw new Error(`${answer.get("error")}: ${answer.get("error_description")}`);
  if (answer.get("state") !== provider.state()) throw new Error("the state is another one");
  return answer;
}

async function signedIn() {
  const open = () => new StreamableHTTPClientTransport(new URL(job.url), { authProvider: provider });
  const first = open();
  const hello = { name: job.name, version: "1.2.3" };
  try {
    await new Client(hello).connect(first);
  } catch (error) {
    if (!kept.asked) throw error;
    const answer = await visited();
    await (job.sdk === 1 ? first.finishAuth(answer.get("code")) : first.finishAuth(answer));
  }
  const client = new Client(hello);
  await client.connect(open());
  return client;
}

try {
  const client = await signedIn();
  const { tools } = await client.listTools();
  say({ tools: tools.map((tool) => tool.name), client: kept.client.client_id, ...shown() });
  for (let call = await heard(); call !== null; call = await heard()) {
    delete kept.asked;
    let result;
    try {
      result = await client.callTool(call);
    } catch (error) {
      if (!kept.asked) throw error;
      await visited();
      throw error;
    }
    say({ is_error: Boolean(result.isError), ...shown() });
  }
  await client.close();
} catch (error) {
  say({ fault: `${error.name}: ${error.message}`, ...shown() });
}
process.exit();
