import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { SyncError } from '../../src/errors.js';
import type { IdentityEvent } from '../../src/identity/source.js';
import { acceptEvents, eventScope, lateScope } from '../../src/intake/accept-events.js';
import { ChannelActivity } from '../../src/intake/channel-activity.js';
import { clientKey } from '../../src/model/key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedInbox } from '../../src/queue/embedded/inbox.js';
import { createEmbeddedKeyValueStore } from '../../src/queue/embedded/key-value-store.js';
import { createEmbeddedRechecks } from '../../src/queue/embedded/rechecks.js';
import { JOURNAL_FILE, QUEUE_FILE } from '../../src/queue/embedded/schemas.js';
import { StateFile } from '../../src/queue/embedded/state-file.js';
import { createEmbeddedTriggers } from '../../src/queue/embedded/triggers.js';
import { gate } from '../conformance/store-harness.js';
import { queueOver } from '../support/queue-over.js';
import { until } from '../support/until.js';
import { newDirectory } from '../support/use-directory.js';

let root: string;
const opened: { close(): Promise<void> }[] = [];
beforeEach(() => {
  root = newDirectory();
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

/** The embedded store, which calls `sync` for each sync of its queue to the disk, and `syncJournal` for each of its journal. */
function open(
  directory: string,
  sync: () => Promise<void> = async () => {},
  syncJournal: () => Promise<void> = async () => {},
) {
  const file = new StateFile(directory, QUEUE_FILE, sync);
  const journal = new StateFile(directory, JOURNAL_FILE, syncJournal);
  opened.push(file, journal);
  const stored = createEmbeddedTriggers(file);
  const queue = queueOver(stored);
  const keyValues = createEmbeddedKeyValueStore({ queue: file, journal }, systemClock);
  const rechecks = createEmbeddedRechecks(file);
  const inbox = createEmbeddedInbox(file, stored, queue, rechecks, keyValues);
  const activity = new ChannelActivity(keyValues, systemClock);
  return {
    queue,
    keyValues,
    rechecks,
    inbox,
    activity,
    logger: silentLogger,
    metrics: noMetrics,
    clock: systemClock,
  };
}

function event(id: string): IdentityEvent {
  const cause = { kind: 'webhook', eventId: id, receivedAt: '2026-11-25T00:00:00Z' } as const;
  return { id, triggers: [{ key: clientKey('main', 'web'), cause }], orders: [] };
}

it('An event costs one sync, which makes its triggers, its recheck and its ID durable together', async () => {
  let syncs = 0;
  const deps = open(root, async () => {
    syncs++;
  });
  expect(await acceptEvents('main', [event('a'), event('b')], 'webhook', deps)).toHaveLength(2);
  expect(syncs).toBe(1);
});

it('An event is acknowledged while a write of reconcile work is on its way to the disk', async () => {
  const disk = gate();
  let syncs = 0;
  const deps = open(root, undefined, () => {
    syncs++;
    return disk.opened;
  });
  const reserved = deps.keyValues.set('guard/window', '[]');
  await until('the sync', () => syncs === 1);
  expect(await acceptEvents('main', [event('a')], 'webhook', deps)).toEqual([event('a')]);
  expect(await acceptEvents('main', [event('a')], 'webhook', deps)).toEqual([]);
  await deps.inbox.check();
  expect(syncs).toBe(1);
  disk.open();
  await reserved;
});

it('A crash at any sync keeps an event completely or not at all', async () => {
  const live = join(root, 'live');
  mkdirSync(live);
  const copies: string[] = [];
  const copy = () => {
    const to = join(root, `copy-${copies.length}`);
    cpSync(live, to, { recursive: true });
    copies.push(to);
  };
  const deps = open(live, async () => copy());
  copy();
  await acceptEvents('main', [event('a')], 'webhook', deps);
  await acceptEvents('main', [event('b')], 'webhook', deps);
  for (const directory of copies) {
    const { queue, keyValues, rechecks } = open(directory);
    const isKnown = await keyValues.has(eventScope('main'), 'a');
    expect((await queue.state()).waiting).toBe(isKnown ? 1 : 0);
    expect(await rechecks.count('main')).toBe(isKnown ? 1 : 0);
  }
});

it('A duplicate is not new, and its late delivery by webhook is remembered', async () => {
  const deps = open(root);
  await acceptEvents('main', [event('a')], 'poll', deps);
  expect(await acceptEvents('main', [event('a'), event('b'), event('b')], 'webhook', deps)).toEqual([
    event('b'),
  ]);
  expect(await deps.keyValues.has(lateScope('main'), 'a')).toBe(true);
  expect(await deps.keyValues.has(lateScope('main'), 'b')).toBe(false);
});

it('An event is accepted although the activity of its channel cannot be noted', async () => {
  const lost = new SyncError('ERR_QUEUE_UNREACHABLE', 'no room', { retriable: true });
  const deps = { ...open(root), activity: { note: () => Promise.reject(lost) } };
  expect(await acceptEvents('main', [event('a')], 'webhook', deps)).toEqual([event('a')]);
});

it('An event that concerns no client is not remembered, but counts as activity', async () => {
  const deps = open(root);
  const login = { ...event('a'), triggers: [] };
  expect(await acceptEvents('main', [login], 'webhook', deps)).toEqual([]);
  expect(await deps.keyValues.has(eventScope('main'), 'a')).toBe(false);
  expect(await deps.activity.of('main', 'webhook')).toBeDefined();
});
