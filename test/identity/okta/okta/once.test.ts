import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/clock.js';
import { OktaNames } from '../../../../src/identity/okta/names.js';
import { createOktaSource } from '../../../../src/identity/okta/webhook.js';
import { type AcceptDeps, acceptEvents } from '../../../../src/intake/accept-events.js';
import { ChannelActivity } from '../../../../src/intake/channel-activity.js';
import { Secret } from '../../../../src/model/secret.js';
import type { Trigger } from '../../../../src/model/trigger.js';
import { noMetrics, silentLogger } from '../../../../src/observe.js';
import { createEmbeddedInbox } from '../../../../src/queue/embedded/inbox.js';
import { createEmbeddedKeyValueStore } from '../../../../src/queue/embedded/key-value-store.js';
import { createEmbeddedRechecks } from '../../../../src/queue/embedded/rechecks.js';
import { JOURNAL_FILE, QUEUE_FILE } from '../../../../src/queue/embedded/schemas.js';
import { StateFile } from '../../../../src/queue/embedded/state-file.js';
import { createEmbeddedTriggers } from '../../../../src/queue/embedded/triggers.js';
import type { IncomingEvent } from '../../../../src/queue/inbox.js';
import { shape } from '../../../support/okta/shapes.js';
import { HOOK_SECRET, type OktaWorld, startOktaWorld } from '../../../support/okta/world.js';
import { queueOver } from '../../../support/queue-over.js';
import { newDirectory } from '../../../support/use-directory.js';

const signal = new AbortController().signal;
const DAY_MS = 24 * 3600_000;
let world: OktaWorld;
let parts: ReturnType<OktaWorld['open']>;
let root: string;
let file: StateFile;
let journal: StateFile;
let deps: AcceptDeps;
let cursor: string | undefined;
/** Counts of `scopemesh_events_total` by result. */
let counted: Record<string, number>;
/** The triggers that were queued since the last call of `queued`. */
let triggers: Trigger[];

beforeEach(async () => {
  world = await startOktaWorld();
  parts = world.open();
  world.addClient({ clientId: 'web-app' }, ['orders:read']);
  await parts.directory.readAll(signal);
  root = newDirectory();
  file = new StateFile(root, QUEUE_FILE, async () => {});
  const stored = createEmbeddedTriggers(file);
  const queue = queueOver(stored);
  journal = new StateFile(root, JOURNAL_FILE, async () => {});
  const keyValues = createEmbeddedKeyValueStore({ queue: file, journal }, systemClock);
  const inbox = createEmbeddedInbox(file, stored, queue, createEmbeddedRechecks(file), keyValues);
  triggers = [];
  counted = {};
  deps = {
    keyValues,
    activity: new ChannelActivity(keyValues, systemClock),
    logger: silentLogger,
    clock: systemClock,
    metrics: {
      ...noMetrics,
      count: (_name, labels, times = 1) => {
        const result = String(labels?.result);
        counted[result] = (counted[result] ?? 0) + times;
      },
    },
    inbox: {
      async accept(provider, events: readonly IncomingEvent[], memory) {
        const accepted = await inbox.accept(provider, events, memory);
        triggers.push(...events.flatMap((each) => (accepted.has(each.id) ? each.triggers : [])));
        return accepted;
      },
    },
  };
  cursor = undefined;
  await log();
  counted = {};
  queued();
});
afterEach(async () => {
  await parts.directory.close();
  await world.server.stop();
  await Promise.all([file.close(), journal.close()]);
});

const log = async () => {
  const result = await parts.poll?.poll(cursor, signal);
  cursor = result?.cursor;
  await acceptEvents('main', result?.events ?? [], 'poll', deps);
};
const hook = async (options: { names?: OktaNames; afterMs?: number } = {}) => {
  const event = world.server.org.log.events.at(-1);
  const { names = new OktaNames(), afterMs = 0 } = options;
  const own = createOktaSource({ provider: 'main', secrets: [new Secret(HOOK_SECRET)], names });
  const source = options.names === undefined ? (parts.source ?? own) : own;
  const reception = await source.receive({
    method: 'POST',
    headers: { authorization: HOOK_SECRET },
    query: {},
    body: new TextEncoder().encode(JSON.stringify(shape('event-hook', { data: { events: [event] } }))),
    receivedAt: new Date(world.clock.now() + afterMs).toISOString(),
  });
  if (reception.kind !== 'events') throw new Error('no events');
  await acceptEvents('main', reception.events, 'webhook', deps);
};
/** Equal triggers that are queued together are one job. */
const queued = () => [...new Map(triggers.splice(0).map((each) => [JSON.stringify(each), each])).values()];
const update = () =>
  world.server.org.log.write('application.lifecycle.update', [
    { id: world.app('web-app').id, type: 'AppInstance' },
  ]);
const policyChange = () =>
  world.server.org.log.write('policy.lifecycle.update', [
    { id: world.mesh.policies[0]?.id ?? '', type: 'PolicyEntity' },
  ]);

describe('one uuid', () => {
  it.each([
    ['a client', update],
    ['everything', policyChange],
  ])('about %s is worked on and counted once if the hook comes first', async (_, write) => {
    write();
    await hook();
    expect(queued()).toMatchObject([{ urgent: true, evidence: [{ clients: ['web-app'] }] }]);
    await log();
    expect(queued()).toEqual([]);
    expect(counted).toEqual({ accepted: 1, duplicate: 1 });
  });

  it.each([
    ['a client', update],
    ['everything', policyChange],
  ])('about %s is worked on and counted once if the log comes first', async (_, write) => {
    write();
    await log();
    expect(queued()).toMatchObject([{ urgent: true, evidence: [{ clients: ['web-app'] }] }]);
    await hook();
    expect(queued()).toEqual([]);
    expect(counted).toEqual({ accepted: 1, duplicate: 1 });
  });

  it('whose hook came first still brings the order that only the log proves, once', async () => {
    world.server.org.setStatus(world.app('web-app').id, 'INACTIVE');
    await hook();
    expect(queued()).toMatchObject([{ urgent: true, evidence: [{ clients: ['web-app'] }] }]);
    await log();
    expect(queued()).toMatchObject([{ order: { kind: 'client-disabled', clientId: 'web-app' } }]);
    expect(counted).toEqual({ accepted: 1, duplicate: 1 });
  });

  it('that brings nothing but an order is counted once too', async () => {
    world.server.org.addUser('ada@example.com');
    await log();
    counted = {};
    world.server.org.clearSessions('ada@example.com');
    await hook();
    await log();
    expect(queued()).toMatchObject([{ order: { kind: 'session-revoked' } }]);
    expect(counted).toEqual({ accepted: 1 });
  });

  it('whose hook came before any read still gets the evidence of the log', async () => {
    policyChange();
    await hook({ names: new OktaNames() });
    expect(queued()[0]).not.toHaveProperty('evidence');
    await log();
    expect(queued()).toMatchObject([{ fullRead: true, evidence: [{ clients: ['web-app'] }] }]);
  });

  it('whose hook names the app in another way is worked on once', async () => {
    update();
    await hook({ names: new OktaNames() });
    expect(queued()).toMatchObject([{ key: { by: 'internalId' } }]);
    await log();
    expect(queued()).toEqual([]);
  });

  it('whose hook may be a replay still gets the evidence of the log', async () => {
    update();
    await hook({ afterMs: 6 * DAY_MS + 1000 });
    expect(queued()[0]).not.toHaveProperty('evidence');
    await log();
    expect(queued()).toMatchObject([{ evidence: [{ clients: ['web-app'] }] }]);
  });
});
