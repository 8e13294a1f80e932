import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pathOf, readChoices, writeChoices } from '../../../src/console/page/query.js';

const DEFAULTS = { q: '', sort: 'name', state: 'any' };
const choices = fc.record({ q: fc.string(), sort: fc.string(), state: fc.string({ unit: 'binary' }) });

it('every choice comes back from the address that has it', () => {
  fc.assert(
    fc.property(choices, (chosen) => {
      const whole = Object.fromEntries(
        Object.entries(chosen).map(([name, value]) => [name, value.toWellFormed()]),
      );
      const search = writeChoices('?other=1', whole, DEFAULTS);
      expect(readChoices(search, DEFAULTS)).toEqual(whole);
      expect(new URLSearchParams(search).get('other')).toBe('1');
    }),
  );
});

it('an address has only what differs from the defaults, in one order', () => {
  expect(writeChoices('', { sort: 'name' }, DEFAULTS)).toBe('');
  expect(writeChoices('?q=a', { q: '' }, DEFAULTS)).toBe('');
  const one = writeChoices(writeChoices('', { state: 'held' }, DEFAULTS), { q: 'a b' }, DEFAULTS);
  expect(writeChoices('', { q: 'a b', state: 'held' }, DEFAULTS)).toBe(one);
});

it('the path of a name is one part, whatever the name holds', () => {
  expect(pathOf('/clients', 'main', 'api://orders?x#y/..')).toBe(
    '/clients/main/api%3A%2F%2Forders%3Fx%23y%2F..',
  );
});
