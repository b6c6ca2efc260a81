// Drives an official TypeScript client, a line of JSON at a time: first what to connect to, then one tool call a line.
// Each line is answered by one line. A fault – also a result that the client itself refuses – ends the run.

import { createInterface } from "node:readline";

async function clientOfVersion1(job) {
  const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
  return [new Client(job.client), StreamableHTTPClientTransport];
}

async function clientOfVersion2(job) {
  const { Client, StreamableHTTPClientTransport } = await import("@modelcontextprotocol/client");
  return [new Client(job.client, { versionNegotiation: { mode: job.mode } }), StreamableHTTPClientTransport];
}

function say(value) {
  process.stdout.write(JSON.stringify(value) + "\n");
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const job = JSON.parse((await lines.next()).value);
const [client, Transport] = await (job.sdk === 1 ? clientOfVersion1(job) : clientOfVersion2(job));
const transport = new Transport(new URL(job.url), {
  requestInit: { headers: { Authorization: `Bearer ${job.token}` } },
});
// What a client only reports, it would show to its person: here it must not happen at all.
client.onerror = (error) => {
  console.error(error);
  process.exitCode = 1;
};

await client.connect(transport);
const { tools } = await client.listTools();
say({
  protocol: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion,
  server: client.getServerVersion(),
  tools,
});
for await (const line of lines) {
  say(await client.callTool(JSON.parse(line)));
}
// A client that is done asks the server to forget its session; a server that keeps none may refuse (405).
await transport.terminateSession();
await client.close();
