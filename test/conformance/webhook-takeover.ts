import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createEmbeddedDecisionLog } from '../../src/decisions/embedded/embedded-decision-log.js';
import { createWebhookSender } from '../../src/decisions/http/webhook-sender.js';
import type { WebhookSender } from '../../src/decisions/webhook.js';
import { WebhookCursor } from '../../src/decisions/webhook-cursor.js';
import { deliverWebhook } from '../../src/decisions/webhook-delivery.js';
import { Secret } from '../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../src/observe.js';
import type { LedStore } from '../../src/queue/store-parts.js';
import { quickClock } from '../decisions/webhook-rig.js';
import { decision } from '../support/decisions.js';
import { until } from '../support/until.js';
import { startWebhookReceiver } from '../support/webhook-receiver.js';
import { gate, type StartHarness } from './store-harness.js';

const LEADER = { replica: 'one/1', host: 'one', since: '2026-03-01T10:00:00.000Z', storeId: 'store' };
const ANY = { above: 0, over: 'any' } as const;
const SUBJECTS = 3;
const TERMS = 4;

/** What a receiver of a webhook sees when another leader continues on the store. */
export function describeWebhookTakeover(name: string, start: StartHarness): void {
  describe(`webhooks on ${name}`, () => {
    it('lose nothing at a change of the leader, repeat only by the same ID, and keep the order of a subject', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'scopemesh-webhook-'));
      const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
      const log = createEmbeddedDecisionLog({ directory, ...runtime });
      const harness = await start();
      const receiver = await startWebhookReceiver();
      const sender = createWebhookSender({
        name: 'audit',
        url: receiver.url,
        secrets: [new Secret(receiver.secret)],
        timeoutMs: 60_000,
        clock: systemClock,
      });
      const closers: (() => Promise<unknown>)[] = [];
      onTestFinished(async () => {
        await Promise.all(closers.map((close) => close()));
        await Promise.all([sender.close(), log.close(), harness.dispose()]);
        rmSync(directory, { recursive: true, force: true });
      });

      /** One leader that delivers until it is stopped. */
      const deliver = (led: LedStore, own: WebhookSender = sender) => {
        const end = new AbortController();
        const ended = deliverWebhook(
          {
            ...runtime,
            clock: quickClock(),
            name: 'audit',
            owner: 'payments',
            log,
            cursor: new WebhookCursor(led.keyValues, 'audit'),
            sender: own,
            wants: () => true,
            isPaused: () => false,
          },
          end.signal,
        );
        const stop = async () => {
          end.abort();
          await ended;
        };
        closers.push(stop);
        return stop;
      };

      const decided = Array.from({ length: TERMS * 4 + 4 }, (_, at) =>
        decision({ subject: `intention/default/default/orders/s${at % SUBJECTS}` }),
      );
      const ids = decided.map(({ id }) => id);
      const former: (() => Promise<void>)[] = [];
      const late: ReturnType<typeof gate>[] = [];
      const hear = () => {
        for (const answer of late) answer.open();
      };
      closers.push(async () => hear());
      let store = await harness.open();
      const lead = async () => store.lead((await store.fence.raise(LEADER, ANY)) ?? 0);
      const beginning = await lead();
      // A new webhook begins with the next decision.
      await new WebhookCursor(beginning.keyValues, 'audit').move(undefined, {
        position: await log.position(),
      });
      await beginning.close();
      for (let term = 0; term < TERMS; term++) {
        await log.append(decided.slice(term * 4, term * 4 + 4));
        const led = await lead();
        const [taken, answered] = [gate(), gate()];
        late.push(answered);
        // The receiver takes the third event of each term, and the leader does not hear the answer in time.
        let sent = 0;
        const stop = deliver(led, {
          close: async () => {},
          async send(event, signal) {
            const delivery = await sender.send(event, signal);
            if (++sent < 3) return delivery;
            taken.open();
            await answered.opened;
            return delivery;
          },
        });
        former.push(stop);
        await taken.opened;
        // Of the others, each goes on for a while beside the next one.
        if (term % 2 === 1) continue;
        await harness.crash(store);
        store = await harness.open();
      }
      await log.append(decided.slice(TERMS * 4));
      deliver(await lead());
      hear();
      // As the lease does, when it is lost.
      await Promise.all(former.map((stop) => stop()));
      await until('every event is taken', () => ids.every((id) => receiver.taken.includes(id)), 100_000);
      // It knows a repetition by its ID. What it sees for the first time is in the order of the log.
      for (const { id, body } of receiver.received) expect(JSON.parse(body)).toMatchObject({ id });
      expect([...new Set(receiver.taken)]).toEqual(ids);
      expect(receiver.taken.length).toBeGreaterThan(ids.length);
    });
  });
}
