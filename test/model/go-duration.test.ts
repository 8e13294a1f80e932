import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatGoDuration, parseGoDuration } from '../../src/model/go-duration.js';

describe('durations in Go’s notation', () => {
  it('read as they are written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 100_000_000 }), (ms) => {
        expect(parseGoDuration(formatGoDuration(ms * 1e6))).toBeCloseTo(ms * 1e6, -2);
      }),
    );
  });

  it.each([
    ['1m30s', 90e9],
    ['1.5h', 5400e9],
    ['-2ms', -2e6],
    ['0', 0],
    ['9223372036s', 9223372036e9],
  ])('%s is %d ns', (text, ns) => {
    expect(parseGoDuration(text)).toBe(ns);
  });

  it.each(['', '5', 's', '1x', '1 s', '--1s', '9223372037s'])('%j is no duration', (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  });
});
