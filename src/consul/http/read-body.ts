import type { Dispatcher } from 'undici';
import { IncompleteRead } from '../../errors.js';

/** The whole body. Throws ERR_CONSUL_INCOMPLETE past `maxBytes`, and undici's own errors where it is cut off. */
export async function readBody(
  response: Dispatcher.ResponseData,
  maxBytes: number,
  place: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    if (!(chunk instanceof Uint8Array)) continue;
    size += chunk.byteLength;
    // Leaving the loop destroys the body, and with it the connection.
    if (size > maxBytes) {
      const message = `${place}: the answer is longer than ${maxBytes} bytes`;
      throw new IncompleteRead('ERR_CONSUL_INCOMPLETE', message, { retriable: false });
    }
    chunks.push(chunk);
  }
  const body = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    body.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return body;
}

export function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(headers)) {
    flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
