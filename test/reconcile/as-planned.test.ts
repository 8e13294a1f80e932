import { describe, expect, it } from 'vitest';
import { asPlanned } from '../../src/reconcile/as-planned.js';
import { NOW } from '../plan/scene.js';
import { worldWithTwo } from './deps.js';

const CLOCK = { now: () => NOW };
const FREEZE = { kind: 'started', since: 0 } as const;
const [LOSS, GAIN] = [{ widens: false }, { widens: true }];

describe('a change between its record and its write', () => {
  it('is as planned while nothing changes', () => {
    const isAsPlanned = asPlanned({ world: worldWithTwo(), clock: CLOCK }, () => ['a']);
    expect([isAsPlanned(LOSS), isAsPlanned(GAIN)]).toEqual([true, true]);
  });

  it.each([
    ['is not once the mode allows no writes', { mode: 'observe' as const }],
    ['is not once the owner is another one', { owner: 'other' }],
  ])('%s', (_what, changes) => {
    const world = worldWithTwo();
    const isAsPlanned = asPlanned({ world, clock: CLOCK });
    world.setMapping({ ...world.mapping, ...changes });
    expect([isAsPlanned(LOSS), isAsPlanned(GAIN)]).toEqual([false, false]);
  });

  it('still closes after any other reload of the configuration, and no longer opens', () => {
    const world = worldWithTwo();
    const isAsPlanned = asPlanned({ world, clock: CLOCK });
    world.setMapping({ ...world.mapping });
    expect([isAsPlanned(LOSS), isAsPlanned(GAIN)]).toEqual([true, false]);
  });

  it('still closes once a freeze begins or a fact changes, and no longer opens', () => {
    const world = worldWithTwo();
    const isAsPlanned = asPlanned({ world, clock: CLOCK });
    world.freezes.set([FREEZE]);
    expect([isAsPlanned(LOSS), isAsPlanned(GAIN)]).toEqual([true, false]);
    let fact = {};
    const isSame = asPlanned({ world, clock: CLOCK }, () => [fact]);
    fact = {};
    expect([isSame(LOSS), isSame(GAIN)]).toEqual([true, false]);
  });
});
