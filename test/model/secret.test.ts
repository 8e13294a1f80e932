import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../../src/model/secret.js';

const VALUE = 'k7+/=:@ %&-hunter2-of-the-mesh';
const secret = new Secret(VALUE);

describe('a text shows a secret', () => {
  it.each([
    ['as it is', `token ${VALUE}!`],
    ['cut off', `token ${VALUE.slice(0, 12)}`],
    ['percent-encoded', encodeURIComponent(VALUE)],
    ['in hexadecimal', Buffer.from(VALUE).toString('hex')],
    ...[0, 1, 2, 3].map((length): [string, string] => [
      `in base64 after ${length} characters`,
      Buffer.from(`${'x'.repeat(length)}${VALUE}:more`).toString('base64'),
    ]),
    ['in base64url', Buffer.from(VALUE).toString('base64url')],
  ])('%s', (_, text) => expect(secret.isShownIn(text)).toBe(true));

  it('only if it holds a piece of it', () => {
    expect(secret.isShownIn('permission denied: token lacks permission intention:write')).toBe(false);
    expect(new Secret('').isShownIn('anything')).toBe(false);
  });

  it('wherever the secret is', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1, maxLength: 40 }),
        fc.string(),
        fc.string(),
        (value, before, after) => {
          expect(new Secret(value).isShownIn(before + value + after)).toBe(true);
        },
      ),
    );
  });
});
