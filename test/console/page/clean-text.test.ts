import { expect, it } from 'vitest';
import { cleanText, cutMiddle } from '../../../src/console/page/clean-text.js';

it('shows what changes the direction of a text or has no width', () => {
  expect(cleanText('pay\u202eredro')).toBe('pay[U+202E]redro');
  expect(cleanText('or\u200bders\u2066\ufeff')).toBe('or[U+200B]ders[U+2066][U+FEFF]');
  expect(cleanText('a\u0000b\nc\u00ad')).toBe('a[U+0000]b[U+000A]c[U+00AD]');
});

it('shows spaces that are not the usual one, tags, fillers and halves of a pair', () => {
  expect(cleanText('a\u00a0b\u3164c\u2028')).toBe('a[U+00A0]b[U+3164]c[U+2028]');
  expect(cleanText('x\u{e0041}y\ud800z')).toBe('x[U+E0041]y[U+D800]z');
});

it('leaves names of every language as they are', () => {
  for (const name of ['orders-v2', 'Größe 3', 'заказы', '訂單', 'طلبات', 'café', '😀'])
    expect(cleanText(name)).toBe(name);
});

it('cuts the middle of a long text and keeps both ends', () => {
  expect(cutMiddle('orders', 6)).toBe('orders');
  expect(cutMiddle('checkout-service-eu-1', 11)).toBe('check…-eu-1');
  expect([...cutMiddle('😀'.repeat(50), 9)]).toHaveLength(9);
});
