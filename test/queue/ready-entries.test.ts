import { expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { clientKey, destinationKey, formatKey, type Key } from '../../src/model/key.js';
import { AgendaEntry } from '../../src/queue/agenda-entry.js';
import { Places } from '../../src/queue/agenda-places.js';
import { mergeTriggers } from '../../src/queue/merge-triggers.js';
import { ReadyEntries } from '../../src/queue/ready-entries.js';
import { WriteLimit } from '../../src/queue/write-limit.js';

function readyOf(...keys: readonly Key[]) {
  const writes = new WriteLimit({ least: 8, first: 8, most: 8 }, systemClock);
  const places = new Places({ writes, reads: 8, urgent: 1 });
  const ready = new ReadyEntries(() => true);
  const entries = keys.map((key) => new AgendaEntry(key, formatKey(key)));
  for (const entry of entries) ready.put(entry);
  const order = () => keys.map(() => ready.take(places)?.entry.text);
  return { ready, entries, order };
}

it('a client keeps its place when more comes for it, so that events about it cannot delay it', () => {
  const { ready, entries, order } = readyOf(clientKey('main', 'a'), clientKey('main', 'b'));
  for (const entry of entries.slice(0, 1)) ready.put(entry);
  expect(order()).toEqual(entries.map(({ text }) => text));
});

it('a destination goes behind the clients that still wait when more comes for it', () => {
  const { ready, entries, order } = readyOf(destinationKey('orders'), clientKey('main', 'b'));
  for (const entry of entries.slice(0, 1)) ready.put(entry);
  expect(order()).toEqual(entries.toReversed().map(({ text }) => text));
});

it('a client that became urgent goes before the ordinary ones, and waits once', () => {
  const { ready, entries, order } = readyOf(clientKey('main', 'a'), clientKey('main', 'b'));
  for (const entry of entries.slice(1)) {
    entry.isUrgent = true;
    ready.put(entry);
  }
  expect(ready.size).toBe(2);
  expect(order()).toEqual(entries.toReversed().map(({ text }) => text));
});

it('a destination that certainly loses access goes before urgent ones that may gain it', () => {
  const { ready, entries, order } = readyOf(destinationKey('gains'), destinationKey('loses'));
  const [gains, loses] = entries;
  for (const entry of entries) entry.isUrgent = true;
  const cause = { kind: 'webhook', receivedAt: '2026-01-01T00:00:00Z' } as const;
  const urgent = { key: destinationKey('loses'), cause, urgent: true };
  if (gains !== undefined) ready.put(gains);
  if (loses !== undefined) {
    loses.triggers = mergeTriggers([urgent], [{ ...urgent, loses: true }]);
    ready.put(loses);
  }
  expect(order()).toEqual([loses?.text, gains?.text]);
});
