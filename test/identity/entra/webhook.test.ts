import { beforeEach, describe, expect, it } from 'vitest';
import { RejectedEvent } from '../../../src/errors.js';
import { parseTenant } from '../../../src/identity/entra/tenant.js';
import { createEntraSource } from '../../../src/identity/entra/webhook.js';
import type { EventSource } from '../../../src/identity/source.js';
import { Secret } from '../../../src/model/secret.js';
import { TENANT_ID } from '../../support/entra/entra.js';
import { notification, requestOf } from '../../support/entra/notifications.js';
import { guidOf } from '../../support/entra/tenant.js';

const STATE = 'the state of the subscription';
let requestedRenewals: Set<string>;
let source: EventSource;

beforeEach(() => {
  requestedRenewals = new Set();
  source = createEntraSource({
    provider: 'main',
    tenant: parseTenant(`https://login.microsoftonline.com/${TENANT_ID}/v2.0`, 'https://graph.microsoft.com'),
    secrets: [new Secret(STATE)],
    requestedRenewals,
  });
});

const receive = async (...value: readonly object[]) => {
  const reception = await source.receive(requestOf({ value }));
  if (reception.kind !== 'events') throw new Error('no events');
  return reception.events;
};
const proven = (fields: object = {}) => notification({ clientState: STATE, ...fields });

describe('the validation of the address', () => {
  it('is answered with the same token, as plain text', async () => {
    const token = 'Validation: Testing client application reachability for subscription Request-Id: 4e0f-1';
    expect(await source.receive(requestOf('', { validationToken: token }))).toEqual({
      kind: 'reply',
      status: 200,
      contentType: 'text/plain',
      body: token,
    });
  });

  it('is refused for a token that could be markup, is no text, or is too long', async () => {
    for (const token of ['<script>', '"', 'a\nb', '', 'ü', 'x'.repeat(5000)]) {
      const asked = source.receive(requestOf('', { validationToken: token }));
      await expect(asked, token).rejects.toMatchObject({ status: 400 });
    }
  });
});

describe('a notification', () => {
  it('leads to an urgent read of the members, without evidence', async () => {
    const [event] = await receive(proven());
    expect(event?.triggers).toMatchObject([
      { key: { kind: 'provider', name: 'main' }, members: true, urgent: true },
    ]);
    expect(event?.triggers[0]?.evidence).toBeUndefined();
    expect(event?.orders).toEqual([]);
  });

  it('in a batch has an ID of its own', async () => {
    const events = await receive(proven(), proven(), proven({ resource: `Groups/${guidOf('team')}` }));
    expect(new Set(events.map(({ id }) => id)).size).toBe(3);
  });

  it('about the same object later is not a duplicate', async () => {
    const at = async (ms: number) => {
      const reception = await source.receive(requestOf({ value: [proven()] }, {}, ms));
      return reception.kind === 'events' ? reception.events[0]?.id : undefined;
    };
    expect(await at(1)).not.toBe(await at(2));
  });

  it('without proof is refused and proven ones are accepted; without any proof all are forged', async () => {
    const forged = notification({ clientState: 'something else' });
    const value = [forged, proven(), notification({ clientState: undefined })];
    expect(await source.receive(requestOf({ value }))).toMatchObject({
      kind: 'events',
      events: [{ triggers: [{ members: true }] }],
      rejected: [{ code: 'ERR_SIGNATURE', message: '2 of 3 notifications have no known clientState' }],
    });
    expect(await source.receive(requestOf({ value: [proven()] }))).not.toHaveProperty('rejected');
    await expect(receive(forged, notification())).rejects.toBeInstanceOf(RejectedEvent);
    await expect(receive(forged)).rejects.toMatchObject({ code: 'ERR_SIGNATURE', status: 401 });
  });

  it('of another tenant has no effect', async () => {
    const [event] = await receive(proven({ tenantId: guidOf('other tenant') }));
    expect(event?.triggers).toEqual([]);
  });
});

describe('a lifecycle notification', () => {
  const lifecycle = (lifecycleEvent: string) =>
    proven({ lifecycleEvent, changeType: undefined, resource: undefined, resourceData: undefined });

  it('that requests an authorization lost nothing, and is stored', async () => {
    const [event] = await receive(lifecycle('reauthorizationRequired'));
    expect(event?.triggers).toEqual([]);
    expect(requestedRenewals.has(guidOf('subscription'))).toBe(true);
  });

  it('about missed notifications or a removed subscription leads to a complete comparison', async () => {
    for (const name of ['missed', 'subscriptionRemoved']) {
      const [event] = await receive(lifecycle(name));
      expect(event?.triggers, name).toMatchObject([{ fullRead: true, urgent: true }]);
      expect(requestedRenewals.has(guidOf('subscription')), name).toBe(true);
      requestedRenewals.delete(guidOf('subscription'));
    }
  });
});
