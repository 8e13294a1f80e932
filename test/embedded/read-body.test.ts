import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { readBody } from '../../src/embedded/read-body.js';

const sending = (...chunks: readonly (string | Buffer)[]) => Readable.from(chunks) as IncomingMessage;

it('reads a body of any number of chunks, and none', async () => {
  expect(await readBody(sending(Buffer.from('ab'), 'ü', Buffer.from('c')), 5)).toEqual(Buffer.from('abüc'));
  expect(await readBody(sending(), 5)).toEqual(Buffer.alloc(0));
});

it('reads no body that is too long in bytes', async () => {
  expect(await readBody(sending('aaaa', 'ü'), 5)).toBeUndefined();
});

it('throws if the client goes away', async () => {
  const request = Readable.from(
    (async function* () {
      yield 'a';
      throw new Error('aborted');
    })(),
  ) as IncomingMessage;
  await expect(readBody(request, 5)).rejects.toThrow('aborted');
});
