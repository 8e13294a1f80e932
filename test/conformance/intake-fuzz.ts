import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { InjectOptions } from 'fastify';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { addIntake } from '../../src/daemon/events.js';
import { createHttpServer } from '../../src/daemon/http-server.js';
import type { RawRequest } from '../../src/identity/source.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { randomNumbers } from '../support/random-numbers.js';
import type { EventSourceHarness } from './event-source.js';

const NOW = Date.parse('2026-03-01T12:00:00.000Z');
const ROUND = 500;

// What is kept shows only once what is not kept is gone.
setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/**
 * Mutated requests to a provider's endpoint, through the whole intake: each is answered by 4xx, none does anything, and
 * memory does not grow.
 */
export function describeIntakeFuzz(
  name: string,
  harness: EventSourceHarness,
  options: { readonly requests: number; readonly seed: number },
): void {
  describe(`${options.requests} mutated requests to ${name}`, () => {
    it('crash nothing, change nothing, store nothing, and are all refused', {
      timeout: 240_000,
    }, async () => {
      const done: string[] = [];
      const server = createHttpServer();
      const source = harness.create(NOW);
      addIntake(server, {
        sources: new Map([[source.provider, source]]),
        inbox: {
          async accept(_provider, events) {
            if (events.length > 0) done.push('accept');
            return new Set();
          },
        },
        keyValues: {
          async remember() {
            done.push('remember');
          },
        },
        activity: {
          async note() {
            done.push('heard');
          },
        },
        rejectedEvents: { record: async () => {} },
        unstored: { keep: () => {} },
        clock: { ...systemClock, now: () => NOW },
        logger: silentLogger,
        metrics: noMetrics,
      });
      const mutate = createMutator(harness, options.seed);
      const answers = new Map<number, number>();
      const heaps: number[] = [];
      for (let sent = 0; sent < options.requests; sent += ROUND) {
        for (let at = 0; at < ROUND; at++) {
          const request = mutate();
          const { statusCode } = await server.inject(request);
          answers.set(statusCode, (answers.get(statusCode) ?? 0) + 1);
          if (statusCode < 400 || statusCode >= 500)
            expect.fail(`answered ${statusCode} to ${JSON.stringify(request).slice(0, 2000)}`);
        }
        collect();
        heaps.push(process.memoryUsage().heapUsed);
      }
      await server.close();
      expect(done).toEqual([]);
      expect([...answers.values()].reduce((sum, each) => sum + each, 0)).toBe(options.requests);
      // The first half warms everything up; what leaks with each request goes on growing in the second.
      const half = Math.floor(heaps.length / 2);
      const least = (some: readonly number[]) => Math.min(...some);
      const grown = least(heaps.slice(half)) - least(heaps.slice(1, half));
      expect(grown).toBeLessThan(options.requests * 100);
    });
  });
}

/** Requests that were authentic before something happened to them. */
function createMutator(harness: EventSourceHarness, seed: number): () => InjectOptions {
  const random = randomNumbers(seed);
  const pick = <T>(all: readonly T[]): T => {
    const found = all[Math.floor(random() * all.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  };
  let count = 0;
  const authentic = () => harness.request({ id: `fuzz-${++count}`, atMs: NOW, secret: 'current' });
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));

  const mutateBody = (body: Uint8Array): Uint8Array => {
    const at = Math.floor(random() * body.length);
    switch (Math.floor(random() * 6)) {
      case 0:
        return bytes(Math.floor(random() * 300));
      case 1:
        return body.subarray(0, at);
      case 2:
        return Uint8Array.from(body, (byte, index) => (index === at ? byte ^ (1 << (count % 8)) : byte));
      case 3:
        return new Uint8Array([...body.subarray(0, at), ...bytes(8), ...body.subarray(at)]);
      case 4:
        return new TextEncoder().encode(pick(NESTED));
      default:
        return new Uint8Array([...body, ...body]);
    }
  };
  const mutateText = (text: string): string => {
    const at = Math.floor(random() * (text.length + 1));
    const odd = pick(['', 'x', '0', '=', '.', ',', ' v1,', 'é', '%00', text.toUpperCase()]);
    return random() < 0.5 ? text.slice(0, at) + odd + text.slice(at + 1) : text.slice(0, at) + odd;
  };

  return () => {
    for (;;) {
      const request = authentic();
      const place = harness.signatureHeader;
      const isBodyProof = typeof place !== 'string';
      // Without a signature over the body a mutated body is still its sender's: the proof must be what is wrong.
      const breaksProof = !(harness.coversBody ?? true) || random() < 0.4;
      const mutated = breaksProof
        ? withProof(request, harness, mutateText)
        : { ...request, body: mutateBody(request.body) };
      const odd =
        random() < 0.2 ? { ...mutated, headers: { ...mutated.headers, ...pick(HEADERS) } } : mutated;
      if (!isBodyProof && !(harness.coversBody ?? true) && isAuthentic(odd, request, place)) continue;
      if (isSame(odd, request)) continue;
      return toInjection(odd);
    }
  };
}

function withProof(
  request: RawRequest,
  harness: EventSourceHarness,
  mutate: (text: string) => string,
): RawRequest {
  const place = harness.signatureHeader;
  if (typeof place !== 'string') {
    const proof = place.read(request.body);
    const next = mutate(proof);
    return {
      ...request,
      body: place.write(request.body, harness.isSameSignature(next, proof) ? undefined : next),
    };
  }
  const proof = request.headers[place] ?? '';
  const next = mutate(proof);
  const value = harness.isSameSignature(next, proof) ? undefined : printable(next);
  return { ...request, headers: { ...request.headers, [place]: value } };
}

function isAuthentic(request: RawRequest, original: RawRequest, place: string): boolean {
  return request.headers[place] === original.headers[place];
}

function isSame(a: RawRequest, b: RawRequest): boolean {
  return Buffer.compare(a.body, b.body) === 0 && JSON.stringify(a.headers) === JSON.stringify(b.headers);
}

function toInjection(request: RawRequest): InjectOptions {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) if (value !== undefined) headers[name] = value;
  return { method: 'POST', url: '/events/main', headers, payload: Buffer.from(request.body) };
}

/** What a header may hold at all. */
function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}

const HEADERS: readonly Readonly<Record<string, string>>[] = [
  { 'content-type': 'text/plain' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-encoding': 'gzip' },
  { 'x-forwarded-for': '127.0.0.1' },
  { 'transfer-encoding': 'identity' },
  { accept: 'x'.repeat(4000) },
];

const NESTED: readonly string[] = [
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  '{"__proto__":{"admin":true}}',
  '{"constructor":{"prototype":{}}}',
  '"\\ud800"',
  '1e999',
  '[null]',
  '',
];
