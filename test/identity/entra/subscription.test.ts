import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { createEntra } from '../../../src/identity/entra/entra.js';
import type { SubscriptionState } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { type Entra, startEntra } from '../../support/entra/entra.js';
import { partsOf, WEBHOOK_SECRETS } from '../../support/entra/parts.js';
import { type Receiver, startReceiver } from '../../support/entra/receiver.js';
import { guidOf } from '../../support/entra/tenant.js';
import { createMovableClock, type MovableClock } from '../../support/movable-clock.js';

const MINUTE = 60_000;
const signal = new AbortController().signal;
let clock: MovableClock;
let entra: Entra;
let receiver: Receiver;
let parts: ReturnType<typeof createEntra>;
let stored: string | undefined;

const open = (more: object = {}) => {
  parts = partsOf(entra, [], { clock, webhookUrl: receiver.url, ...more });
  receiver.source = parts.source;
};
beforeEach(async () => {
  clock = createMovableClock();
  entra = await startEntra({ now: () => clock.now() });
  receiver = await startReceiver();
  stored = undefined;
  open();
});
afterEach(async () => {
  await parts.directory.close();
  await receiver.close();
  await entra.close();
});

const renew = async (): Promise<SubscriptionState> => {
  const state = await parts.subscription?.renew(stored, signal, async () => false);
  if (state === undefined) throw new Error('no subscription');
  stored = state.stored;
  return state;
};
const active = () => [...entra.subscriptions.active.values()];
const takeLog = () => entra.subscriptions.log.splice(0);
const [CURRENT] = WEBHOOK_SECRETS;

describe('the subscriptions', () => {
  it('are created for users and groups with a proven address, for as long as Graph allows', async () => {
    const state = await renew();
    expect(active().map(({ resource }) => resource)).toEqual(['users', 'groups']);
    for (const subscription of active()) {
      expect(subscription).toMatchObject({ clientState: CURRENT, lifecycleNotificationUrl: receiver.url });
      const minutes = (Date.parse(subscription.expirationDateTime) - clock.now()) / MINUTE;
      expect(minutes).toBeLessThanOrEqual(41_760);
      expect(minutes).toBeGreaterThan(41_000);
    }
    expect(entra.subscriptions.lastValidation).toMatchObject({ status: 200 });
    expect(state).toMatchObject({ gap: false });
    expect(state.expiresAt).toBe(active()[0]?.expirationDateTime);
  });

  it('store no secret, and send nothing while nothing is due', async () => {
    const state = await renew();
    for (const secret of WEBHOOK_SECRETS) expect(state.stored).not.toContain(secret);
    takeLog();
    clock.advance(state.renewAfterMs);
    expect(await renew()).toEqual(state);
    expect(takeLog()).toEqual([]);
  });

  it('are renewed long before they expire', async () => {
    await renew();
    const [first] = active();
    const end = first?.expirationDateTime;
    takeLog();
    clock.advance(7 * 60 * MINUTE);
    expect((await renew()).gap).toBe(false);
    expect(takeLog()).toEqual(active().map(({ id }) => `PATCH ${id}`));
    expect(first?.expirationDateTime).not.toBe(end);
  });

  it('are renewed at once when Graph requests an authorization', async () => {
    await renew();
    takeLog();
    const [first] = active();
    expect(await entra.subscriptions.lifecycle(first?.id ?? '', 'reauthorizationRequired')).toBe(202);
    expect((await renew()).gap).toBe(false);
    expect(takeLog()).toEqual([`PATCH ${first?.id}`]);
    await renew();
    expect(takeLog()).toEqual([]);
  });

  it('are created again with a gap if Graph removed one, or if it expired', async () => {
    await renew();
    const [first] = active();
    await entra.subscriptions.lifecycle(first?.id ?? '', 'subscriptionRemoved');
    entra.subscriptions.active.delete(first?.id ?? '');
    expect((await renew()).gap).toBe(true);
    expect(active()).toHaveLength(2);
    clock.advance(41_800 * MINUTE);
    entra.subscriptions.active.clear();
    expect((await renew()).gap).toBe(true);
    expect(active()).toHaveLength(2);
    expect((await renew()).gap).toBe(false);
  });

  it('are a gap even if the renewal that created one failed later', async () => {
    await renew();
    const [users, groups] = active();
    entra.subscriptions.active.delete(users?.id ?? '');
    clock.advance(60 * MINUTE);
    entra.fault = (url) => (url.pathname.endsWith(`/${groups?.id}`) ? { status: 503 } : undefined);
    await expect(renew()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_UNREACHABLE' });
    entra.fault = undefined;
    expect((await renew()).gap).toBe(true);
    expect((await renew()).gap).toBe(false);
  });

  it('are created again for another secret or address, and the old ones are removed', async () => {
    await renew();
    await parts.directory.close();
    open({ webhookSecrets: ['the next one', CURRENT].map((text) => new Secret(text)) });
    await renew();
    expect(active().map(({ clientState }) => clientState)).toEqual(['the next one', 'the next one']);
  });

  it('are found again if the stored state is lost', async () => {
    await renew();
    const lost = active().map(({ id }) => id);
    stored = undefined;
    await parts.directory.close();
    open();
    await renew();
    expect(active()).toHaveLength(2);
    for (const { id } of active()) expect(lost).not.toContain(id);
  });

  it('of another address of the same application are left alone and reported', async () => {
    await renew();
    const [first] = active();
    if (first === undefined) throw new Error('no subscription');
    entra.subscriptions.active.set(first.id, { ...first, notificationUrl: 'https://other.example.com/' });
    stored = undefined;
    await parts.directory.close();
    open();
    await expect(renew()).rejects.toMatchObject({ code: 'ERR_CONFIG' });
    expect(entra.subscriptions.active.has(first.id)).toBe(true);
  });

  it('are not created twice if one of them fails', async () => {
    entra.permissions.delete('Group.Read.All');
    entra.permissions.delete('Directory.Read.All');
    await expect(renew()).rejects.toThrow(/Group\.Read\.All/);
    await expect(renew()).rejects.toThrow(/Group\.Read\.All/);
    expect(takeLog().filter((request) => request === 'POST users')).toHaveLength(1);
    entra.permissions.add('Group.Read.All');
    await renew();
    expect(active().map(({ resource }) => resource)).toEqual(['users', 'groups']);
  });

  it('are not created if the address does not answer as Graph expects', async () => {
    receiver.source = undefined;
    await expect(renew()).rejects.toMatchObject({ code: 'ERR_DIRECTORY_INCOMPLETE' });
    expect(active()).toEqual([]);
  });

  it('deliver changes', async () => {
    await renew();
    entra.tenant.put('users', { id: guidOf('ann'), accountEnabled: false });
    const [entry] = entra.tenant.changes.slice(-1);
    if (entry === undefined) throw new Error('nothing changed');
    expect(await entra.subscriptions.notifyOf(entry)).toEqual([202]);
    expect(receiver.events.at(-1)?.triggers).toMatchObject([{ members: true, urgent: true }]);
  });
});
