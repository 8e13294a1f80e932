import { describe, expect, it } from 'vitest';
import { createEntraNames } from '../../../src/identity/entra/names.js';
import { NAME_LIMIT } from '../../../src/identity/name-cache.js';

describe('the name cache of an Entra tenant', () => {
  it('forgets the name that was not used for the longest time, and is then no longer complete', () => {
    const names = createEntraNames({ wantsPeople: false });
    for (let at = 0; at < NAME_LIMIT; at++) names.addPrincipal(`principal-${at}`, `client-${at}`);
    names.complete();
    expect(names.isComplete).toBe(true);
    expect(names.clientIdOfPrincipal('principal-0')).toBe('client-0');

    names.addPrincipal('one-more', 'client');
    expect(names.clientIdOfPrincipal('one-more')).toBe('client');
    expect(names.clientIdOfPrincipal('principal-0')).toBe('client-0');
    expect(names.clientIdOfPrincipal('principal-1')).toBeUndefined();
    // An unknown ID may be the forgotten one, so its removal must lead to a complete read.
    expect(names.isComplete).toBe(false);
    names.complete();
    expect(names.isComplete).toBe(false);
  });

  it('remembers that an agent identity has no blueprint', () => {
    const names = createEntraNames({ wantsPeople: false });
    names.addAgent('agent', undefined);
    names.addAgent('other', 'blueprint');
    expect(names.agent('agent')).toEqual({ blueprint: undefined });
    expect(names.agent('unknown')).toBeUndefined();
    expect(names.agentsOf('blueprint')).toEqual(['other']);
  });
});
