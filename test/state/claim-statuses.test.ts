import { describe, expect, it } from 'vitest';
import type { ClaimStatus } from '../../src/plan/claim-status.js';
import { ClaimStatuses, losesClaim } from '../../src/state/claim-statuses.js';
import { named } from '../plan/scene.js';

const WEB = { provider: 'main', clientId: 'web' };
const API = { provider: 'main', clientId: 'api' };

describe('the statuses of claims', () => {
  const status = (client = WEB, name = 'a', addNothing = false): ClaimStatus => ({
    kind: 'claimed',
    service: named(name),
    client,
    addNothing,
  });
  const none: ClaimStatus = { kind: 'none', service: named('a'), vanished: false };

  it('change only if they differ, and are found by their client', () => {
    const all = new ClaimStatuses();
    expect([all.put('a', status()), all.put('a', status()), all.put('b', undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    expect(all.put('b', status(WEB, 'b'))).toBe(true);
    expect([...all.on(WEB).keys()]).toEqual(['a', 'b']);
    expect(all.put('a', status(WEB, 'a', true))).toBe(true);
    expect(all.put('a', status(WEB, 'other', true))).toBe(true);
    expect(all.put('a', status(API))).toBe(true);
    expect([[...all.on(WEB).keys()], [...all.on(API).keys()]]).toEqual([['b'], ['a']]);
    expect(all.put('a', none)).toBe(true);
    expect([[...all.on(API).keys()], all.all.get('a')]).toEqual([[], none]);
    expect([all.put('a', undefined), all.all.has('a'), [...all.on(WEB).keys()]]).toEqual([
      true,
      false,
      ['b'],
    ]);
  });

  it('lose if a claim that counted is gone, refused, or on another client', () => {
    const refused: ClaimStatus = {
      kind: 'refused',
      service: named('a'),
      client: WEB,
      reason: 'ClaimTaken',
      detail: '',
    };
    const unknown: ClaimStatus = { kind: 'unknown', service: named('a'), client: WEB };
    const unrecorded: ClaimStatus = {
      kind: 'unrecorded',
      service: named('a'),
      client: WEB,
      addNothing: false,
    };
    for (const before of [status(), unrecorded]) {
      for (const after of [undefined, none, refused, status(API)])
        expect(losesClaim(before, after)).toBe(true);
      for (const after of [status(), unknown, unrecorded]) expect(losesClaim(before, after)).toBe(false);
    }
    for (const before of [undefined, none, refused, unknown])
      expect(losesClaim(before, undefined)).toBe(false);
  });
});
