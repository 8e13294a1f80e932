/**
 * A relay in a process of its own that kills itself with SIGKILL at its nth step, to find out what a crash at any
 * instant leaves. Its settings are one JSON argument. Prints `ready` before it begins, and exits 0 once the outbox is
 * empty. Its clock runs fast, so that it signs a checkpoint after most batches.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { systemClock } from '../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { createKafkaDecisionLog } from '../../src/decisions/kafka/kafka-decision-log.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import { type RelayDeps, relay } from '../../src/decisions/relay.js';
import { openSigningKey } from '../../src/decisions/signing-key.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import { createEmbeddedStore } from '../../src/queue/embedded/store.js';

export interface RelayChildSettings {
  readonly directory: string;
  readonly kafka?: { readonly broker: string; readonly topic: string };
  /** How many decisions the outbox shows at most. */
  readonly batch: number;
  /** The step it dies at, and how: before the step, after it, or `ms` after the step began. */
  readonly death?: { readonly step: number; readonly when: 'before' | 'after' | number };
}

const settings: RelayChildSettings = JSON.parse(process.argv[2] ?? '');
const { directory, kafka, batch, death } = settings;
const begun = systemClock.now();
const clock = { ...systemClock, now: () => begun + (systemClock.now() - begun) * 20_000 };
const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
const store = createEmbeddedStore({ directory, ...runtime });
const log: DecisionLog =
  kafka === undefined
    ? createEmbeddedDecisionLog({ directory, ...runtime })
    : createKafkaDecisionLog({
        ...runtime,
        brokers: [kafka.broker],
        topic: kafka.topic,
        clientId: 'scopemesh-test',
        transactionalId: `scopemesh-${kafka.topic}`,
        timeoutMs: 10_000,
      });

let steps = 0;
async function step<T>(operation: () => Promise<T>): Promise<T> {
  const isLast = ++steps === death?.step;
  if (isLast && death.when === 'before') die();
  const running = operation();
  if (isLast && typeof death.when === 'number') {
    await Promise.race([delay(death.when), running]);
    die();
  }
  const result = await running;
  if (isLast) die();
  return result;
}
function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

const { keyValues, journal } = store;
const signer = openSigningKey({ owner: 'payments', directory, file: undefined, logger: silentLogger });
const deps: RelayDeps = {
  ...runtime,
  clock,
  owner: 'payments',
  signer: () => signer,
  settled: { wait: () => new Promise(() => {}) },
  keyValues: {
    get: (name) => keyValues.get(name),
    set: (name, value) => keyValues.set(name, value),
    replace: (name, expected, value) => step(() => keyValues.replace(name, expected, value)),
    has: (scope, id) => keyValues.has(scope, id),
    remember: (scope, ids, ttlMs) => keyValues.remember(scope, ids, ttlMs),
  },
  journal: {
    read: (key) => journal.read(key),
    readAll: () => journal.readAll(),
    record: (key, drafts) => journal.record(key, drafts),
    settle: (key, decisions, update) => journal.settle(key, decisions, update),
    outbox: (limit) => journal.outbox(Math.min(limit, batch)),
    published: (ids) => step(() => journal.published(ids)),
    overview: () => journal.overview(),
  },
  log: {
    check: () => log.check(),
    position: () => log.position(),
    append: (decisions) => step(() => log.append(decisions)),
    contains: (ids, since) => step(() => log.contains(ids, since)),
    lastLink: (of, known) => log.lastLink(of, known),
    appendCheckpoint: (checkpoint) => log.appendCheckpoint(checkpoint),
    read: (options, signal) => log.read(options, signal),
    readEvents: (options, signal) => log.readEvents(options, signal),
    readParts: (signal) => log.readParts(signal),
    readFrom: (position, signal) => log.readFrom(position, signal),
    close: () => log.close(),
  },
};

process.stdout.write('ready\n');
const stop = new AbortController();
const running = relay(deps, stop.signal);
while ((await journal.overview()).outboxLength > 0) await delay(20);
stop.abort();
await running;
process.exit(0);
