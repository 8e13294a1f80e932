import { once } from 'node:events';
import { type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';

/** Passes a request on as it is, and its answer back as it comes, with `changed` headers; either side's end is the other's. */
export function pass(
  incoming: IncomingMessage,
  answer: ServerResponse,
  target: string,
  path = incoming.url,
  changed: Readonly<Record<string, string>> = {},
): void {
  const { hostname, port } = new URL(target);
  const { method, headers } = incoming;
  const outgoing = request({ host: hostname, port, method, path, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, { ...response.headers, ...changed });
    response.on('error', () => answer.destroy());
    response.pipe(answer);
  });
  outgoing.on('error', () => answer.destroy());
  answer.on('close', () => outgoing.destroy());
  answer.on('error', () => outgoing.destroy());
  incoming.on('error', () => outgoing.destroy());
  incoming.pipe(outgoing);
}

/** The whole body; throws if the sender goes before its end. */
export async function bodyOf(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  if (!incoming.complete) throw new Error('the body was cut off');
  return Buffer.concat(chunks);
}

export async function listen(server: Server, port: number): Promise<void> {
  server.listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
}
