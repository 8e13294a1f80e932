import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../../../src/clock.js';
import {
  createEmbeddedConsul,
  type EmbeddedConsul,
} from '../../../../src/embedded/consul/embedded-consul.js';
import { createNotifier } from '../../../../src/notifier.js';
import { aborted } from '../../../support/aborted.js';
import { until } from '../../../support/until.js';

describe('a request to the embedded Consul', () => {
  let consul: EmbeddedConsul;
  beforeAll(async () => {
    consul = await createEmbeddedConsul({ defaultPolicy: 'allow' });
  });
  afterAll(() => consul.close());

  /** `fetch` would clean the path itself. */
  const ask = (path: string) =>
    new Promise<{ status: number | undefined; location: string | undefined; text: string }>(
      (resolve, reject) => {
        const headers = { 'X-Consul-Token': consul.managementToken };
        request(consul.address, { path, headers }, async (response) => {
          let text = '';
          for await (const chunk of response) text += String(chunk);
          resolve({ status: response.statusCode, location: response.headers.location, text });
        })
          .once('error', reject)
          .end();
      },
    );

  it.each([
    ['/v1/kv/../catalog/services', '/v1/catalog/services'],
    ['/v1/catalog/./services', '/v1/catalog/services'],
    ['/v1//catalog/services?stale', '/v1/catalog/services?stale='],
    ['/../../v1/catalog/services', '/v1/catalog/services'],
  ])('with the path %s is led to %s', async (path, location) => {
    expect(await ask(path)).toMatchObject({ status: 307, location });
  });

  it.each([
    '/v1/catalog/services?filter=x',
    '/v1/kv/?keys',
    '/v1/kv/a?release=x',
    '/v1/acl/tokens?policy=x',
    '/v1/acl/roles?policy=x',
  ])('is refused where a parameter is not served, and not answered without it: %s', async (path) => {
    expect((await ask(path)).status).toBe(501);
  });

  it('with a malformed body gets the error of Go’s decoder', async () => {
    const answers = await Promise.all(
      ['{', '{"a":x}', 'x', ''].map(async (body) => {
        const response = await fetch(`${consul.address}/v1/txn`, { method: 'PUT', body });
        return response.text();
      }),
    );
    expect(answers).toEqual([
      'Failed to parse body: unexpected EOF',
      "Failed to parse body: invalid character 'x' looking for beginning of value",
      "Failed to parse body: invalid character 'x' looking for beginning of value",
      'Failed to parse body: EOF',
    ]);
  });
});

describe('a query that waits at the embedded Consul', () => {
  it('waits no longer when its client goes away', async () => {
    const waiting = createNotifier();
    let wait: AbortSignal | undefined;
    const clock: Clock = {
      now: () => 0,
      sleep(_ms, signal) {
        wait = signal;
        waiting.notify();
        return aborted(signal);
      },
    };
    const consul = await createEmbeddedConsul({ defaultPolicy: 'allow', clock });
    try {
      const gone = new AbortController();
      const { signal } = new AbortController();
      const answer = fetch(`${consul.address}/v1/kv/a?index=99&wait=60s`, { signal: gone.signal });
      await waiting.wait(signal);
      expect(wait?.aborted).toBe(false);
      gone.abort(new Error('gone'));
      await expect(answer).rejects.toThrow('gone');
      await until('the wait ends', () => wait?.aborted);
    } finally {
      await consul.close();
    }
  });
});
