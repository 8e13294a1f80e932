import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isPlainPath,
  type PlainPath,
  parsePlainPathRegex,
  toPathText,
  toPlainPathRegex,
} from '../../src/model/plain-path.js';
import { cpuMsOf } from '../support/cpu-time.js';

const matches = (plain: PlainPath, path: string) => new RegExp(`^(?:${toPlainPathRegex(plain)})$`).test(path);
const path = (text: string): PlainPath => ({ kind: 'path', text });
const prefix = (text: string): PlainPath => ({ kind: 'prefix', text });

/** Parts of paths that servers read in different ways, and ordinary ones. */
const PARTS = [
  ...['/', '.', '..', '%2e', '%2E', '%2f', '%5c', '\\', '%25', ';', '%3b', '%00', '%'],
  ...['%c0%ae', '%C1%9C', '%e0%80%ae', '%E0%9f%bf', '%f0%80%80%ae', '%F8%80%80%80%AE', '%fC', '%ff'],
  ...['a', 'B7', '-', '_', '~', '$', '(', '+', '%20', '%C3%A9', 'é', '%41', ' ', '\n'],
  ...['%e0%a0%80', '%E0', '%f0%9F%98%80', '%F0', '%ef%bf%bd', '%80', '%ae'],
];
const somePath = fc.array(fc.constantFrom(...PARTS), { maxLength: 9 }).map((parts) => `/${parts.join('')}`);

/** What a server may make of a path at worst: it decodes twice, drops what follows `;`, and resolves dots. */
function readAtWorst(sent: string): string {
  let text = sent;
  for (let times = 0; times < 2; times++)
    text = text
      .replaceAll(/%(?:c0|e0%80|f0%80%80|f8%80%80%80|fc%80%80%80%80)%ae/gi, '.')
      .replaceAll(/%c1%9c/gi, '\\')
      .replaceAll(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  const names: string[] = [];
  for (const name of text.replaceAll('\\', '/').split('/')) {
    const bare = name.replace(/[;\0].*$/s, '').trim();
    if (bare === '..') names.pop();
    else if (bare !== '' && bare !== '.') names.push(bare);
  }
  return `/${names.join('/')}`;
}

describe('a plain path', () => {
  it.each([
    '/v1/orders',
    '/v1/orders/',
    '/v1/orders/7;x=1/.well-known',
    '/v1/orders/a..b',
    '/v1/orders/%C3%A9/é',
    '/v1/orders/%E0%A4%95%e0%bf%80/%f0%9f%98%80%F4%8f%bf%bf%ef%bf%bd',
  ])('lets %s through', (sent) => expect(matches(path('/v1/orders'), sent)).toBe(true));

  it.each([
    ...['/v1/orders-internal', '/v1/orders.', '/v1/orders/../admin', '/v1/orders/..', '/v1/orders/...'],
    ...['/v1/orders//7', '/v1/orders/%2e%2e', '/v1/orders/.%2E/x', '/v1/orders/a%2fb', '/v1/orders/a\\b'],
    ...['/v1/orders/%252e', '/v1/orders/..;/a', '/v1/orders/..%3b/a', '/v1/orders/..%20/a', '/v1/orders/;/a'],
    ...[
      '/v1/orders/%c0%ae',
      '/v1/orders/%e0%80%ae%E0%80%AE/a',
      '/v1/orders/%e0%9f%bf',
      '/v1/orders/%e0',
      '/v1/orders/%e0a',
      '/v1/orders/%f0%80%80%ae',
      '/v1/orders/%F0%8f%bf%bf',
      '/v1/orders/%f8%80%80%80%ae',
      '/v1/orders/%FC%80%80%80%80%AE',
      '/v1/orders/%ff',
      '/v1/orders/%00',
      '/v1/orders/%',
      '/v1/orders/%4',
      '/v1/orders/a b',
      '/v1/orders/\n',
    ],
  ])('does not let %j through', (sent) => expect(matches(path('/v1/orders'), sent)).toBe(false));

  it('never leads out of what is written, whatever a server makes of it', () => {
    fc.assert(
      fc.property(somePath, (tail) => {
        for (const sent of [`/v1/orders${tail}`, `/v1/orders/${tail}`]) {
          const seen = readAtWorst(sent);
          if (matches(path('/v1/orders'), sent)) expect(`${seen}/`).toMatch(/^\/v1\/orders\//);
          if (matches(prefix('/v1/ord'), sent)) expect(seen).toMatch(/^\/v1\/ord/);
          if (matches(prefix('/v1/orders/'), sent)) expect(`${seen}/`).toMatch(/^\/v1\/orders\//);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('lets through each plain path that begins with it, and no other', () => {
    fc.assert(
      fc.property(somePath, somePath, fc.nat(20), (written, sent, cut) => {
        const plain = prefix(written.slice(0, 1 + cut));
        fc.pre(isPlainPath(plain));
        for (const each of [sent, plain.text + sent.slice(1), plain.text + sent])
          expect([each, matches(plain, each)]).toEqual([
            each,
            each.startsWith(plain.text) && isPlainPath(path(each.replace(/\/$/, ''))),
          ]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is written as an expression that reads back as the same path, whatever characters it has', () => {
    const some = fc.oneof(
      somePath,
      fc.string().map((text) => `/${text}`),
      fc.constant('/v1.0/a+b(c)|[d]{2}^$'),
    );
    fc.assert(
      fc.property(fc.constantFrom('path', 'prefix'), some, (kind, text) => {
        const regex = toPlainPathRegex({ kind, text });
        expect(regex === undefined).toBe(!isPlainPath({ kind, text }));
        if (regex !== undefined) expect(parsePlainPathRegex(regex)).toEqual({ kind, text });
      }),
      { numRuns: 2_000 },
    );
    expect(matches(path('/v1.0/a+b(c)'), '/v1.0/a+b(c)/7')).toBe(true);
    expect(matches(path('/v1.0/a+b(c)'), '/v1x0/a+b(c)')).toBe(false);
  });

  it('is not made from another text, nor read from another expression', () => {
    for (const text of ['/a/../b', '/a//b', '/a/..;', '/a%2', '/a%2e', 'a'])
      expect([toPlainPathRegex(path(text)), toPlainPathRegex(prefix(text))]).toEqual([undefined, undefined]);
    const regex = String(toPlainPathRegex(path('/v1')));
    for (const other of ['', '/v1', '/v1.*', regex.replace('/v1', '/v.'), `${regex}x`, `(?i)${regex}`])
      expect(parsePlainPathRegex(other)).toBeUndefined();
  });

  it('reads a hostile expression or path in linear time', () => {
    const regex = String(toPlainPathRegex(path('/v1')));
    const ms = cpuMsOf(() => {
      expect(parsePlainPathRegex('\\'.repeat(200_000) + regex)).toBeUndefined();
      for (const part of ['/a..', '.a', '%41', '/'])
        expect(matches(path('/v1'), `/v1/${part.repeat(50_000)}%`)).toBe(false);
    });
    expect(ms).toBeLessThan(2_000);
  });

  it('has a text for people', () => {
    expect(toPathText(String(toPlainPathRegex(path('/v1.0'))))).toBe('/v1.0 and below');
    expect(toPathText(String(toPlainPathRegex(prefix('/v1/o'))))).toBe('/v1/o*');
    expect(toPathText('/v1/.*')).toBe('~/v1/.*');
  });
});
