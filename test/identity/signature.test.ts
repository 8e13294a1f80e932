import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyHmacSha256, verifyStaticSecret } from '../../src/identity/signature.js';
import { Secret } from '../../src/model/secret.js';

const body = Buffer.from('{"id":"1"}');
const sign = (secret: string | Uint8Array, encoding: 'hex' | 'base64' = 'hex', content: Uint8Array = body) =>
  createHmac('sha256', secret).update(content).digest(encoding);

describe('a signature', () => {
  it('verifies under any of several secrets, so that one can be rotated', () => {
    const secrets = [new Secret('new'), new Secret('old')];
    expect(verifyHmacSha256(secrets, body, sign('new'), 'hex')).toBe(true);
    expect(verifyHmacSha256(secrets, body, sign('old'), 'hex')).toBe(true);
    expect(verifyHmacSha256(secrets, body, sign('older'), 'hex')).toBe(false);
    expect(verifyHmacSha256([], body, sign('new'), 'hex')).toBe(false);
  });

  it('verifies in base64 and with a binary key', () => {
    const key = Uint8Array.from([0, 255, 128, 7]);
    expect(verifyHmacSha256([key], body, sign(key, 'base64'), 'base64')).toBe(true);
    expect(verifyHmacSha256([key], body, sign(key, 'hex'), 'base64')).toBe(false);
  });

  it('never verifies under an empty secret, with which anyone could sign', () => {
    expect(verifyHmacSha256([new Secret('')], body, sign(''), 'hex')).toBe(false);
  });

  it('is refused in every malformed form', () => {
    const secrets = [new Secret('s')];
    const good = sign('s');
    expect(verifyHmacSha256(secrets, body, good, 'hex')).toBe(true);
    const bad = [undefined, '', good.slice(1), `${good}0`, `${good} `, `sha256=${good}`, `${good}, ${good}`];
    for (const text of [...bad, good.replace(/.$/, 'g'), `${good.slice(0, 62)}zz`]) {
      expect(verifyHmacSha256(secrets, body, text, 'hex'), String(text)).toBe(false);
    }
    const base64 = sign('s', 'base64');
    for (const text of [
      base64.slice(0, -1),
      base64.replace('=', ''),
      `${base64}=`,
      `v1,${base64}`,
      ` ${base64}`,
    ]) {
      expect(verifyHmacSha256(secrets, body, text, 'base64'), text).toBe(false);
    }
  });

  it('does not verify for another body or another secret', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(
        bytes,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.string({ minLength: 1 }),
        (content, at, flip, key) => {
          const signature = sign(key, 'hex', content);
          expect(verifyHmacSha256([new Secret(key)], content, signature, 'hex')).toBe(true);
          const changed = Uint8Array.from(content);
          const index = at % content.length;
          changed[index] = (changed[index] ?? 0) ^ flip;
          expect(verifyHmacSha256([new Secret(key)], changed, signature, 'hex')).toBe(false);
          expect(verifyHmacSha256([new Secret(`${key}x`)], content, signature, 'hex')).toBe(false);
        },
      ),
    );
  });
});

describe('a secret in a header', () => {
  const secrets = [new Secret('new'), new Secret('old'), new Secret('')];

  it('is any of several, exactly as written', () => {
    expect(verifyStaticSecret(secrets, 'new')).toBe(true);
    expect(verifyStaticSecret(secrets, 'old')).toBe(true);
    for (const given of ['New', 'new ', ' new', 'ne', 'newold', 'older'])
      expect([given, verifyStaticSecret(secrets, given)]).toEqual([given, false]);
  });

  it('is not an empty or missing one', () => {
    expect(verifyStaticSecret(secrets, '')).toBe(false);
    expect(verifyStaticSecret(secrets, undefined)).toBe(false);
    expect(verifyStaticSecret([], 'new')).toBe(false);
  });
});
