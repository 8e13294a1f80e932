import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pathOf, readChoices, writeChoices } from '../../../src/console/page/query.js';
import { fromSegment } from '../../../src/model/segment.js';

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

it('the path of a name leads to that name, also if a path would go elsewhere by it', () => {
  const name = fc.oneof(fc.string(), fc.stringMatching(/^~{0,2}\.{1,3}$/));
  fc.assert(
    fc.property(name, name, (one, other) => {
      fc.pre(one.isWellFormed() && other.isWellFormed() && other !== '');
      const { pathname } = new URL(pathOf('/clients', one, other), 'http://localhost');
      expect(pathname.split('/').slice(2).map(decodeURIComponent).map(fromSegment)).toEqual([one, other]);
    }),
  );
});
