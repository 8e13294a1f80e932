import { describe, expect, test } from 'vitest';
import { ClientBlocks } from '../../src/state/client-blocks.js';

const WEB = { provider: 'main', clientId: 'web' };

describe('a client that is closed', () => {
  test('is reopened only by a read that began later, and only if it was closed for want of a read', () => {
    const blocks = new ClientBlocks();
    expect(blocks.isVouched(WEB, 9)).toBe(false);
    expect(blocks.set(WEB, 'RevocationUnconfirmed', 5)).toBe(true);
    expect([4, 5, 6].map((read) => blocks.isVouched(WEB, read))).toEqual([false, false, true]);
    expect(blocks.isVouched({ ...WEB, provider: 'other' }, 6)).toBe(false);
    expect(blocks.set(WEB, 'ClientQuarantined', 6)).toBe(true);
    expect(blocks.isVouched(WEB, 9)).toBe(false);
  });

  test('keeps the read of its first order', () => {
    const blocks = new ClientBlocks();
    blocks.set(WEB, 'RevocationUnconfirmed', 5);
    expect(blocks.set(WEB, 'RevocationUnconfirmed', 8)).toBe(false);
    expect(blocks.isVouched(WEB, 6)).toBe(true);
    expect(blocks.set(WEB, undefined, 9)).toBe(true);
    expect([...blocks.all]).toEqual([]);
    expect(blocks.set(WEB, undefined, 10)).toBe(false);
  });
});
