import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Cause, CauseKind } from '../../src/model/cause.js';
import { guardableEdges } from '../../src/plan/guards/edges.js';
import { holdKey } from '../../src/plan/holds.js';
import { planDestination } from '../../src/plan/plan-destination.js';
import { guardFacts } from '../../src/reconcile/guard-facts.js';
import { inputOf } from '../../src/state/fleet.js';
import { NOW, named } from '../plan/scene.js';
import { fleetOf } from '../state/fleet-events.js';
import { depsOf, worldWithTwo } from './deps.js';

it('a job that counts the losses of a large fleet lets others work meanwhile', async () => {
  const { world, window } = fleetOf(500);
  // Every client loses everything at once.
  world.putDirectory('main', [], world.beginRead(), NOW);
  const { losses } = guardableEdges(planDestination(inputOf(world, named('d100'), NOW)));
  expect(losses).toHaveLength(1);
  let turns = 0;
  let isDone = false;
  const others = (async () => {
    while (!isDone) {
      await setImmediate();
      turns++;
    }
  })();
  const facts = await guardFacts(losses, new Map(), { ...depsOf(world, {}).deps, window });
  isDone = true;
  await others;
  expect(facts.budget?.planned).toBeGreaterThan(400);
  expect(turns).toBeGreaterThanOrEqual(10);
});

describe('while the mapping of the leader is in doubt', () => {
  const SUBJECT = 'intention/default/default/orders/web';
  const held = {
    subject: SUBJECT,
    reason: 'MappingDiffers',
    decisionId: 'd',
    since: '',
    fingerprint: 'f',
  } as const;
  const trigger = (kind: CauseKind, receivedAt: string) => ({ cause: { kind, receivedAt } });
  const AFTER = '2026-03-01T12:00:00.000Z';
  const isHeld = async (
    triggers: readonly { readonly cause: Cause }[],
    comparedAt: string | null = '2026-03-01T11:00:00.000Z',
    holds: readonly (typeof held)[] = [],
  ) => {
    const world = worldWithTwo();
    world.mappingDoubt.former = { revision: 'a', readAt: '', seenAt: '' };
    world.mappingDoubt.comparedAt = comparedAt ?? undefined;
    const recorded = new Map(holds.map((hold) => [holdKey(hold), hold]));
    const facts = await guardFacts([], recorded, depsOf(world, {}).deps, triggers);
    return facts.doubt?.isHeld(SUBJECT);
  };

  it.each([
    [
      'the identity provider changed it after everything was compared',
      [trigger('webhook', AFTER), trigger('poll', AFTER)],
    ],
  ])('an edge may open if %s', async (_, triggers) => {
    expect(await isHeld(triggers)).toBe(false);
  });

  it.each([
    ['a comparison finds it', [trigger('resync', AFTER)]],
    ['a service appears in Consul', [trigger('consul-watch', AFTER)]],
    ['something else is a cause too', [trigger('webhook', AFTER), trigger('resync', AFTER)]],
    ['the event came before everything was compared', [trigger('webhook', '2026-03-01T10:00:00.000Z')]],
    ['nothing says why', []],
  ])('an edge may not open if %s', async (_, triggers) => {
    expect(await isHeld(triggers)).toBe(true);
  });

  it('an edge that is held stays held, whatever event comes about its client', async () => {
    const triggers = [trigger('webhook', AFTER)];
    expect(await isHeld(triggers, null)).toBe(true);
    expect(await isHeld(triggers, '2026-03-01T11:00:00.000Z', [held])).toBe(true);
  });
});
