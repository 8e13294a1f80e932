import { InvalidArgumentError } from 'commander';
import { expect, it } from 'vitest';
import { parseInstant, parsePastInstant } from '../../src/cli/instant.js';

it('An instant is written in UTC, and an age is an instant', () => {
  expect(parseInstant('2026-01-31T13:00:00+01:00')).toBe('2026-01-31T12:00:00.000Z');
  const ago = Date.now() - Date.parse(parseInstant('2h'));
  expect(Math.round(ago / 60_000)).toBe(120);
  expect(() => parseInstant('soon')).toThrow(InvalidArgumentError);
});

it('What a log must tell already is no instant in the future', () => {
  expect(parsePastInstant('2026-01-31T12:00:00Z')).toBe('2026-01-31T12:00:00.000Z');
  expect(parsePastInstant('0s')).toBeDefined();
  const later = new Date(Date.now() + 3_600_000).toISOString();
  expect(() => parsePastInstant(later)).toThrow('it is in the future');
});
