import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  clientText,
  isUnreadable,
  parseClientText,
  parseServiceText,
  serviceText,
} from '../../src/plan/world.js';
import { anyCharacter } from '../support/any-character.js';
import { runsOf } from '../support/soak.js';
import { client, scene, worldOf } from './scene.js';

const anyText = fc.string({ unit: anyCharacter });

describe('the text of a client', () => {
  test('is JSON, also on the fast path, and has its reverse', () => {
    fc.assert(
      fc.property(anyText, anyText, (provider, clientId) => {
        const text = clientText({ provider, clientId });
        expect(text).toBe(JSON.stringify([provider, clientId]));
        expect(parseClientText(text)).toEqual({ provider, clientId });
      }),
      {
        ...runsOf(1_000, 200),
        examples: [
          ['main', 'web'],
          ['main', 'a"b'],
          ['a"b', 'web'],
        ],
      },
    );
  });

  test('is undefined twice where a text is no list', () => {
    expect(parseClientText('{}')).toEqual({ provider: 'undefined', clientId: 'undefined' });
  });
});

describe('the text of a service', () => {
  test('has its reverse, also for a name with slashes', () => {
    const name = { partition: 'p', namespace: 'n', name: 'a/b/c' };
    expect(serviceText(name)).toBe('p/n/a/b/c');
    expect(parseServiceText(serviceText(name))).toEqual(name);
    expect(parseServiceText('')).toEqual({ partition: '', namespace: '', name: '' });
  });
});

describe('a client', () => {
  const world = worldOf(scene({ clients: [client('web', ['orders'])] }));
  const of = (clientId: string) => ({ provider: 'main', clientId });

  test('is unreadable if its record is', () => {
    const unreadable = new Set([clientText(of('web'))]);
    expect(isUnreadable({ ...world, unreadable }, of('web'))).toBe(true);
    expect(isUnreadable(world, of('web'))).toBe(false);
  });

  test('is unreadable if a record names no client, unless it is known, or a request for it alone found none', () => {
    const unnamed = new Map([['main', new Set(['gone'])]]);
    const states = ['web', 'gone', 'other'].map((id) => isUnreadable({ ...world, unnamed }, of(id)));
    expect(states).toEqual([false, false, true]);
    expect(isUnreadable({ ...world, unnamed }, { provider: 'second', clientId: 'other' })).toBe(false);
  });
});
