import { describe, expect, it } from 'vitest';
import { EntraNames } from '../../../src/identity/entra/names.js';
import { NAME_LIMIT } from '../../../src/identity/name-cache.js';

describe('the name cache of an Entra tenant', () => {
  it('forgets the name that was not used for the longest time, and is then no longer complete', () => {
    const names = new EntraNames({ wantsPeople: false });
    for (let at = 0; at < NAME_LIMIT; at++) names.principals.set(`principal-${at}`, `client-${at}`);
    names.complete();
    expect(names.isComplete).toBe(true);
    expect(names.principals.get('principal-0')).toBe('client-0');

    names.principals.set('one-more', 'client');
    expect(names.principals.get('one-more')).toBe('client');
    expect(names.principals.get('principal-0')).toBe('client-0');
    expect(names.principals.get('principal-1')).toBeUndefined();
    // An unknown ID may be the forgotten one, so its removal must lead to a complete read.
    expect(names.isComplete).toBe(false);
    names.complete();
    expect(names.isComplete).toBe(false);
  });

  it('remembers that an agent identity has no blueprint', () => {
    const names = new EntraNames({ wantsPeople: false });
    names.agents.set('agent', { blueprint: undefined });
    names.agents.set('other', { blueprint: 'blueprint' });
    expect(names.agents.get('agent')).toEqual({ blueprint: undefined });
    expect(names.agents.get('unknown')).toBeUndefined();
    expect(names.agentsOf('blueprint')).toEqual(['other']);
  });
});
