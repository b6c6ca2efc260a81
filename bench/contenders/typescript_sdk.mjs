// The official TypeScript SDK with one tool: stateless, both protocol versions, JSON responses, recording nothing.
//
// What makes it quick is documented: the body is parsed once and handed on with the request, the reply is one JSON
// body, and undici keeps its connections. `toNodeHandler` would stream the reply in chunks and parse the body twice.

import { createServer } from 'node:http';
import {
    createMcpHandler,
    isLegacyRequest,
    McpServer,
    WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { Pool } from 'undici';
import { z } from 'zod';

const upstream = new URL(process.env.BENCH_UPSTREAM_URL);
const pool = new Pool(upstream.origin, { connections: 256 });
const inputSchema = z.object({ id: z.uuid() });

async function getClient({ id }, context) {
    const authorization = context.http.req.headers.get('authorization');
    const path = `${upstream.pathname}/clients/${id}`;
    const { statusCode, body } = await pool.request({ method: 'GET', path, headers: { authorization } });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`Hoursmith answered ${statusCode}.`);
    return { content: [{ type: 'text', text }], structuredContent: JSON.parse(text) };
}

// The SDK asks for a new server for each stateless request.
function newServer() {
    const server = new McpServer({ name: 'Hoursmith', version: '1' });
    server.registerTool('get_client', { description: 'One client.', inputSchema }, getClient);
    return server;
}

const modern = createMcpHandler(newServer, { legacy: 'reject' });

async function serveLegacy(request, parsedBody) {
    const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: undefined,
        enableJsonResponse: true,
    });
    await newServer().connect(transport);
    return transport.handleRequest(request, { parsedBody });
}

async function answer(incoming, outgoing, text) {
    const { method, headers, url } = incoming;
    const request = new Request(`http://${headers.host}${url}`, { method, headers });
    const parsedBody = JSON.parse(text);
    const isLegacy = await isLegacyRequest(request, parsedBody);
    const response = await (isLegacy ? serveLegacy(request, parsedBody) : modern.fetch(request, { parsedBody }));
    const body = await response.text();
    const length = { 'content-length': Buffer.byteLength(body) };
    outgoing.writeHead(response.status, { ...Object.fromEntries(response.headers), ...length });
    outgoing.end(body);
}

createServer({ keepAliveTimeout: 75_000 }, (incoming, outgoing) => {
    let text = '';
    incoming.setEncoding('utf8');
    incoming.on('data', (part) => (text += part));
    incoming.on('end', () => answer(incoming, outgoing, text));
}).listen(Number(process.argv[2]), '127.0.0.1');
