import { describe, expect, it } from 'vitest';
import { clientKey, destinationKey, formatKey } from '../../src/model/key.js';
import type { Trigger } from '../../src/model/trigger.js';
import type { Plan } from '../../src/plan/plan.js';
import { OpenRevocations, REVOCATION_STATES } from '../../src/state/open-revocations.js';

const WEB = clientKey('main', 'web');
const ORDERS = formatKey(destinationKey('orders'));
const NONE = { changes: [], holds: [] };
const NARROWING = { changes: [{ narrows: true }], holds: [] } as unknown as Plan;
const HELD = { changes: [], holds: [{ reason: 'RevocationLimit' }] } as unknown as Plan;

const trigger = (second: number, more: Partial<Trigger> = {}): Trigger => ({
  key: WEB,
  cause: { kind: 'webhook', receivedAt: new Date(second * 1_000).toISOString() },
  ...more,
});
const ages = (open: OpenRevocations, second: number) =>
  REVOCATION_STATES.map((state) => open.oldestSeconds(state, second * 1_000));

describe('an open revocation', () => {
  it('is reported from the receipt of the oldest urgent trigger until its job is done', () => {
    const open = new OpenRevocations();
    open.begin({ key: WEB, attempts: 0, triggers: [trigger(1), trigger(9, { urgent: true })] });
    open.begin({
      key: WEB,
      attempts: 1,
      triggers: [trigger(5, { urgent: true }), trigger(9, { urgent: true })],
    });
    expect(ages(open, 20)).toEqual([15, 0, 0]);
    open.done(formatKey(WEB));
    expect(ages(open, 20)).toEqual([0, 0, 0]);
  });

  it('is planned or held from the first plan that has it until one that has it no more', () => {
    const open = new OpenRevocations();
    open.plan(ORDERS, NARROWING, 10_000);
    open.plan(ORDERS, NARROWING, 15_000);
    expect(ages(open, 20)).toEqual([0, 10, 0]);
    open.plan(ORDERS, HELD, 18_000);
    expect(ages(open, 20)).toEqual([0, 0, 2]);
    open.plan(ORDERS, NONE, 19_000);
    expect(ages(open, 20)).toEqual([0, 0, 0]);
  });

  it('is also reported by an order, and neither by an edge without a record nor by another hold', () => {
    const open = new OpenRevocations();
    const order = {
      kind: 'client-revoked',
      provider: 'main',
      at: new Date(0).toISOString(),
      cause: trigger(4).cause,
    } as unknown as NonNullable<Trigger['order']>;
    open.begin({ key: WEB, attempts: 0, triggers: [trigger(1), trigger(4, { order })] });
    expect(ages(open, 20)).toEqual([16, 0, 0]);
    const plan = {
      changes: [{ narrows: false }, { narrows: true, isUnrecorded: true }],
      holds: [{ reason: 'ForeignSource' }],
    } as unknown as Plan;
    open.plan(ORDERS, plan, 10_000);
    expect(ages(open, 20)).toEqual([16, 0, 0]);
  });

  it('has no negative age if the clock was set back', () => {
    const open = new OpenRevocations();
    open.plan(ORDERS, NARROWING, 10_000);
    expect(ages(open, 5)).toEqual([0, 0, 0]);
  });
});
