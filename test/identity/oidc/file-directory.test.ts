import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { IncompleteRead } from '../../../src/errors.js';
import { createOidcDirectory } from '../../../src/identity/oidc/directory.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';

const DOCUMENT = JSON.stringify({
  clients: [
    { clientId: 'web-app', scopes: ['orders:read'], attributes: { 'consul-services': 'web' } },
    { clientId: 'nightly', enabled: false, scopes: [] },
  ],
});

describe('the oidc directory in a file', () => {
  let folder: string;
  let path: string;
  const signal = new AbortController().signal;
  const open = (maxBytes?: number) =>
    createOidcDirectory({
      provider: 'main',
      directory: path,
      clock: systemClock,
      logger: silentLogger,
      metrics: noMetrics,
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'scopemesh-oidc-'));
    path = join(folder, 'clients.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('is read again each time', async () => {
    await writeFile(path, DOCUMENT);
    const directory = open();
    expect((await directory.readAll(signal)).clients.map(({ clientId }) => clientId)).toEqual([
      'web-app',
      'nightly',
    ]);
    const next = join(folder, 'next.json');
    await writeFile(next, DOCUMENT.replace('orders:read', 'orders:write'));
    await rename(next, path);
    expect((await directory.read('clientId', 'web-app', signal))?.grants).toEqual([{ name: 'orders:write' }]);
    expect(await directory.read('clientId', 'gone', signal)).toBeUndefined();
  });

  test('counts at no byte as complete while it is half-written', async () => {
    const bytes = Buffer.from(DOCUMENT);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: bytes.length - 1 }), async (length) => {
        await writeFile(path, bytes.subarray(0, length));
        await expect(open().readAll(signal)).rejects.toThrow(IncompleteRead);
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    ['no client', '{"clients":[]}', /set its "enabled" to false/],
    ['a next page', '{"clients":[{"clientId":"a","scopes":[]}],"next":"b.json"}', /a file has only one page/],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), /is not UTF-8/],
  ])('with %s is an incomplete read', async (_, content, message) => {
    await writeFile(path, content);
    await expect(open().readAll(signal)).rejects.toThrow(message);
    await expect(open().read('clientId', 'a', signal)).rejects.toThrow(IncompleteRead);
  });

  test('longer than the limit is an incomplete read', async () => {
    await writeFile(path, DOCUMENT);
    await expect(open(DOCUMENT.length - 1).readAll(signal)).rejects.toThrow(/longer than/);
    await expect(open(DOCUMENT.length).readAll(signal)).resolves.toBeDefined();
  });

  test('that is missing, a folder or a named pipe is an error and does not hang', async () => {
    await expect(open().readAll(signal)).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    await mkdir(path);
    await expect(open().readAll(signal)).rejects.toThrow(/not a regular file/);
    await rm(path, { recursive: true });
    execFileSync('mkfifo', [path]);
    await expect(open().readAll(signal)).rejects.toThrow(/not a regular file/);
  });

  test('an abort ends the read with its reason', async () => {
    await writeFile(path, DOCUMENT);
    await expect(open().readAll(AbortSignal.abort(new Error('stopping')))).rejects.toThrow('stopping');
  });
});
