import { describe, expect, it, vi } from 'vitest';
import type { RevocationOrder } from '../../../src/model/order.js';
import { blockUnconfirmed } from '../../../src/reconcile/read-client.js';
import { method } from '../../acl/apply/memory-acl.js';
import { aclWorld, ID, jobOf, NO_LOSS } from '../../acl/job/acl-world.js';
import { ALLOW, entry, NOW, ourSource } from '../../plan/scene.js';

const CODE = 'ERR_DIRECTORY_UNREACHABLE';

/** An order about the client that came so many seconds ago. */
function order(seconds: number, kind: RevocationOrder['kind'] = 'client-disabled'): RevocationOrder {
  const at = new Date(NOW - seconds * 1_000).toISOString();
  return { kind, ...ID, at, cause: { kind: 'order', receivedAt: at } };
}

/** A client with one edge and, if asked for, a method. */
function rig({ hasMethod = true, isLimited = false } = {}) {
  const world = aclWorld({ mapping: isLimited ? NO_LOSS : {} });
  world.world.putEntries([entry('orders', ourSource('web', ALLOW))], NOW);
  if (hasMethod) world.known(method());
  const { logger } = world.job;
  const errors: unknown[] = [];
  const deps = { ...world.job, logger: { ...logger, error: (fields: object) => void errors.push(fields) } };
  return {
    ...{ world, errors },
    block: (...orders: readonly RevocationOrder[]) =>
      blockUnconfirmed(ID, jobOf([{}, ...orders.map((each) => ({ order: each }))]), CODE, deps),
    isClosed: () => world.world.clientBlock(ID) !== undefined,
    counted: () => world.job.window.used(NOW),
  };
}

describe('an order about a client whose directory cannot be read', () => {
  it.each(['client-disabled', 'client-deleted'] as const)(
    'closes the client once it is five seconds old, and is counted: %s',
    async (kind) => {
      const { world, block, isClosed, counted } = rig();
      expect(await block(order(4.999, kind))).toBe(false);
      expect([isClosed(), counted()]).toEqual([false, 0]);
      expect(await block(order(5, kind))).toBe(true);
      // The edge and the login.
      expect([world.world.clientBlock(ID), counted()]).toEqual(['RevocationUnconfirmed', 2]);
      expect(await world.job.keyValues.get('guard/window')).toContain('"edges":2');
    },
  );

  it('counts only the edge of a client without a login', async () => {
    const { block, counted } = rig({ hasMethod: false });
    expect(await block(order(5))).toBe(true);
    expect(counted()).toBe(1);
  });

  it('is as old as the first of several, and as one from before the clock was set back', async () => {
    expect(await rig().block(order(1), order(6))).toBe(true);
    expect(await rig().block(order(1), order(4))).toBe(false);
    expect(await rig().block(order(-6))).toBe(true);
  });

  it('does not close it for another reason', async () => {
    const { block, isClosed } = rig();
    expect(await block(order(60, 'session-revoked'), order(1))).toBe(false);
    expect(await block(order(60, 'session-revoked'))).toBe(false);
    expect(await block()).toBe(false);
    expect(isClosed()).toBe(false);
  });

  it('is carried out once, and leaves an earlier reason', async () => {
    const { world, block, counted } = rig();
    world.world.setClientBlock(ID, 'ClientQuarantined');
    const store = vi.spyOn(world.job.window, 'store');
    expect(await block(order(60))).toBe(true);
    expect([world.world.clientBlock(ID), counted()]).toEqual(['ClientQuarantined', 0]);
    expect(store).not.toHaveBeenCalled();
  });

  it('waits beyond the limit of the mass guard, which is said once', async () => {
    const { block, isClosed, counted, errors } = rig({ isLimited: true });
    expect([await block(order(60)), errors.length]).toEqual([false, 1]);
    expect(await block(order(60))).toBe(false);
    expect([isClosed(), counted()]).toEqual([false, 0]);
    expect(errors).toEqual([{ ...ID, used: 0, edges: 2, code: CODE }]);
  });
});
