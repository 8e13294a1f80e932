import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type Clock, systemClock } from '../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { createWebhookSender } from '../../src/decisions/http/webhook-sender.js';
import type { DecisionLog } from '../../src/decisions/log.js';
import type { WebhookSender } from '../../src/decisions/webhook.js';
import { WebhookCursor } from '../../src/decisions/webhook-cursor.js';
import { deliverWebhook, TICK_MS } from '../../src/decisions/webhook-delivery.js';
import { Secret } from '../../src/model/secret.js';
import { type Logger, type Metrics, silentLogger } from '../../src/observe.js';
import { until } from '../support/until.js';
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.js';
import { createFacts } from '../support/worker-facts.js';

export const LONG_MS = 100_000;

export const idsOf = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id);

/** A clock on which a tick is short and each longer wait is over at once. `waits`: of the longer ones. */
export function quickClock(): Clock & { readonly waits: number[] } {
  let ahead = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => systemClock.now() + ahead,
    async sleep(ms, signal) {
      if (ms <= TICK_MS) return systemClock.sleep(1, signal);
      waits.push(ms);
      ahead += ms;
      return systemClock.sleep(0, signal);
    },
  };
}

/** A wait that nothing ends but a person. */
export const patientClock = (): Clock => ({
  now: systemClock.now,
  sleep: (ms, signal) => systemClock.sleep(ms <= TICK_MS ? 1 : LONG_MS * 10, signal),
});

interface Run {
  readonly stop: () => Promise<void>;
  readonly gauges: Map<string, number>;
  readonly counts: Map<string, number>;
  /** What it logged. */
  readonly said: (readonly [fields: unknown, message: string])[];
}

/** A log, a store and a receiver for each test; `run` delivers until the test ends. */
export function createWebhookRig() {
  let directory: string;
  let log: DecisionLog;
  let keyValues: ReturnType<typeof createFacts>;
  let receiver: WebhookReceiver;
  const running: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'scopemesh-webhook-'));
    log = createEmbeddedDecisionLog({ directory, logger: silentLogger, clock: systemClock });
    keyValues = createFacts();
    receiver = await startWebhookReceiver();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((stop) => stop()));
    await log.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const cursor = () => new WebhookCursor(keyValues, 'audit');

  function run(
    changes: Partial<Parameters<typeof deliverWebhook>[0]> = {},
    clock: Clock = quickClock(),
    around: (sender: WebhookSender) => WebhookSender = (sender) => sender,
  ): Run {
    const end = new AbortController();
    const [gauges, counts] = [new Map<string, number>(), new Map<string, number>()];
    const said: Run['said'] = [];
    const say: Logger['info'] = (fields, message) => void said.push([fields, message]);
    const metrics: Metrics = {
      count: (name, { webhook, result = '' } = {}, by = 1) => {
        if (webhook !== 'audit') return;
        const key = `${name.replace('scopemesh_webhook_', '')} ${result}`.trim();
        counts.set(key, (counts.get(key) ?? 0) + by);
      },
      gauge: (name, value, { webhook } = {}) =>
        void (webhook === 'audit' && gauges.set(name.replace('scopemesh_webhook_', ''), value)),
      time: () => {},
    };
    const sender = createWebhookSender({
      name: 'audit',
      url: receiver.url,
      secrets: [new Secret(receiver.secret)],
      timeoutMs: LONG_MS,
      clock,
    });
    const deps = {
      name: 'audit',
      owner: 'payments',
      log,
      cursor: cursor(),
      sender: around(sender),
      wants: () => true,
      isPaused: () => false,
      logger: { ...silentLogger, info: say, warn: say, error: say },
      metrics,
      clock,
      ...changes,
    };
    const ended = deliverWebhook(deps, end.signal);
    const stop = async () => {
      end.abort();
      await ended;
      await sender.close();
    };
    running.push(stop);
    return { stop, gauges, counts, said };
  }

  /** Begins at the end of the log as it is now. */
  const begun = () => until('the cursor', async () => (await cursor().read()) !== undefined, LONG_MS);
  const taken = (count: number) =>
    until(`${count} events`, () => receiver.taken.length >= count, LONG_MS).then(() => receiver.taken);
  return {
    get log() {
      return log;
    },
    get keyValues() {
      return keyValues;
    },
    get receiver() {
      return receiver;
    },
    cursor,
    run,
    begun,
    taken,
  };
}
