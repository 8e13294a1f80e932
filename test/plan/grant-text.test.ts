import { describe, expect, it } from 'vitest';
import { toBreakGlassText } from '../../src/plan/break-glass.js';
import { namedScopes, namesOf, parseGrantText, sameGrant, toGrantText } from '../../src/plan/grant-text.js';
import {
  isOfWrittenEdge,
  parseLastAppliedText,
  REMOVED,
  toLastAppliedText,
  toUncertainText,
} from '../../src/plan/last-applied.js';
import { ALLOW } from './scene.js';

const ID = '01JDXK4T0QJ5W3M8V7Z2R6N9PB';

describe('the text of a scope', () => {
  it.each([
    { name: 'read' },
    { name: '[read' },
    { name: '["a","b"]' },
    { api: 'orders', name: 'read' },
    { api: '', name: '' },
  ])('is read back as $name', (grant) => {
    expect(parseGrantText(toGrantText(grant))).toEqual(grant);
  });

  it.each(['[', '[]', '[1]', '[1,"a"]', '{}', '["a"'])('in another form is a name: %s', (text) => {
    expect(parseGrantText(text)).toEqual({ name: text });
  });

  it('differs by API and by name', () => {
    const grants = [{ name: 'a' }, { name: 'b' }, { api: 'x', name: 'a' }, { api: 'y', name: 'a' }];
    for (const [at, a] of grants.entries())
      for (const [index, b] of grants.entries()) expect(sameGrant(a, b)).toBe(at === index);
    expect(namesOf(grants)).toEqual(['a', 'b']);
  });

  it('in an event has the API of the event', () => {
    expect(namedScopes({ provider: 'main', api: 'x', scopes: ['a', 'b'] })).toEqual([
      { api: 'x', name: 'a' },
      { api: 'x', name: 'b' },
    ]);
    expect(namedScopes({ provider: 'main', scopes: ['a'] })).toEqual([{ name: 'a' }]);
    expect(namedScopes({ provider: 'main' })).toEqual([]);
  });
});

describe('the record of a write', () => {
  it('keeps the access, the scopes and the break-glass grants apart', () => {
    const text = toLastAppliedText(ALLOW, ['read', '["x","write"]', toBreakGlassText(ID)]);
    expect(parseLastAppliedText(text)).toEqual({
      digest: 'allow',
      grants: [{ name: 'read' }, { api: 'x', name: 'write' }],
      breakGlass: [ID],
    });
  });

  it('is of a written edge unless that was removed', () => {
    expect(isOfWrittenEdge(toLastAppliedText(ALLOW, []))).toBe(true);
    expect(isOfWrittenEdge(toUncertainText(['read']))).toBe(true);
    expect(isOfWrittenEdge(REMOVED)).toBe(false);
    expect(isOfWrittenEdge(undefined)).toBe(false);
    expect(parseLastAppliedText(toUncertainText(['read']))).toMatchObject({ digest: 'uncertain' });
  });

  it.each(['', '{', '{}', '[]', '["allow"]', '[1,[]]', '["allow",{}]'])(
    'in another form cannot be read: %s',
    (text) => {
      expect(parseLastAppliedText(text)).toBeUndefined();
    },
  );

  it('leaves out what is no text', () => {
    expect(parseLastAppliedText('["allow",["read",1,null]]')).toMatchObject({ grants: [{ name: 'read' }] });
    expect(parseLastAppliedText(undefined)).toBeUndefined();
  });
});
