import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchStore, Pulses, parsePulses, UnchangedTimer } from '../../src/lease/pulse.js';

const pulse = fc.stringMatching(/^[0-9a-f]{16}$/);

it('reads its own pulses and no other text, whatever is in the key', () => {
  const strange = fc.oneof(
    fc.anything(),
    pulse.map((each) => `${each}0`),
    pulse.map((each) => `0${each}`),
    pulse.map((each) => [each]),
    pulse.map((each) => `${each}\n`),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(pulse, strange), { maxLength: 20 }), (pulses) => {
      const read = parsePulses(JSON.stringify({ pulses }));
      const isPulse = (each: unknown) => typeof each === 'string' && /^[0-9a-f]{16}$/.test(each);
      expect(read).toEqual(pulses.slice(0, 12).filter(isPulse));
    }),
  );
  for (const text of [
    undefined,
    '',
    'null',
    '7',
    '"pulses"',
    '{}',
    '{"pulses":"0123456789abcdef"}',
    '[]',
    '{',
  ])
    expect(parsePulses(text)).toEqual([]);
});

it('what an acquired key has is what the store must know: a store is behind or unrelated by its pulses', () => {
  expect(matchStore([], [])).toBe('same');
  expect(matchStore([], ['a'])).toBe('same');
  expect(matchStore(['b', 'a'], ['b'])).toBe('same');
  expect(matchStore(['b', 'a'], ['a'])).toBe('behind');
  expect(matchStore(['b', 'a'], [])).toBe('behind');
  expect(matchStore(['b', 'a'], ['c'])).toBe('unrelated');
});

it('keeps a pulse until Consul has it', () => {
  const pulses = new Pulses();
  expect(pulses.toWrite).toEqual([]);
  const first = pulses.next();
  expect(pulses.next()).toBe(first);
  pulses.written();
  const second = pulses.next();
  expect(second).not.toBe(first);
  expect(pulses.toWrite).toEqual([second, first]);
});

it('counts for how long nothing has changed', () => {
  const timer = new UnchangedTimer();
  expect(timer.lastedMs(undefined, 1_000)).toBe(0);
  expect(timer.lastedMs(undefined, 3_000)).toBe(2_000);
  expect(timer.lastedMs('other', 3_000)).toBe(0);
});
