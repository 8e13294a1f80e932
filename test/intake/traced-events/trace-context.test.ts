import { describe, expect, it } from 'vitest';
import { parseTraceparent } from '../../../src/intake/traced-events.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

describe('a traceparent', () => {
  it.each([
    [`00-${TRACE}-${PARENT}-01`, '01'],
    [`00-${TRACE}-${PARENT}-00`, '00'],
    [`00-${TRACE}-${PARENT}-fe`, '00'],
    [`cc-${TRACE}-${PARENT}-03`, '01'],
    [`cc-${TRACE}-${PARENT}-01-what-comes-later`, '01'],
  ])('%s is taken, with the flags %s', (header, flags) => {
    expect(parseTraceparent(header)).toBe(`00-${TRACE}-${PARENT}-${flags}`);
  });

  it.each([
    undefined,
    '',
    'bogus',
    `ff-${TRACE}-${PARENT}-01`,
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01-more`,
    `cc-${TRACE}-${PARENT}-01more`,
    `cc-${TRACE}-${PARENT}-01-more\nline`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}`,
  ])('%j is ignored', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});
