import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { WebhookStore } from '../../../src/decisions/webhook-state.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { secretOf } from '../../support/idp.js';
import { startWebhookReceiver } from '../../support/webhook-receiver.js';

const SINCE = '2026-01-01T00:00:00.000Z';
const letter = (id: string) => ({
  id,
  type: 'dev.scopemesh.intention.created',
  at: SINCE,
  attempts: 8,
  error: 'answered 422',
  event: '{}',
});
const sendingTo = (url: string) => ({
  decisions: { kind: 'embedded', webhooks: [{ name: 'siem', url, secrets: [secretOf(5)] }] },
});
const NOWHERE = sendingTo('http://127.0.0.1:9/hook');

let cli: CommandLine;
beforeEach(() => {
  cli = createCommandLine();
  cli.idp();
  cli.configure(NOWHERE);
});
afterEach(() => cli.close());

/** Uses the store of the command line while no command does. */
async function withStore<T>(use: (store: WebhookStore) => Promise<T>): Promise<T> {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const store = createEmbeddedStore({ directory: join(cli.directory, 'state'), ...runtime });
  try {
    return await use(new WebhookStore(store.keyValues, 'siem'));
  } finally {
    await store.close();
  }
}

it('webhooks are listed, sent again and dropped', async () => {
  await withStore(async (store) => {
    await store.bury(letter('dead-1'));
    await store.bury(letter('dead-2'));
    const failing = {
      id: 'head',
      type: 't',
      since: SINCE,
      attempts: 3,
      refusals: 0,
      error: 'ECONNREFUSED',
    };
    await store.update((state) => ({ ...state, failing, disabledAt: SINCE }));
  });
  const use = async () => {
    const { out, status } = await cli.run(['webhooks']);
    expect(status).toBe(0);
    expect(out).toContain('disabled    siem  2 dead letters\n');
    expect(out).toContain('waits  head  t  3 attempts failed, for ');
    expect(out).toContain('dead   dead-2  dev.scopemesh.intention.created  ');
    const listed = (await cli.run(['webhooks', 'list', '--json'])).json();
    expect(listed).toMatchObject({
      webhooks: [{ name: 'siem', state: 'disabled', failing: { id: 'head' } }],
    });
    expect(JSON.stringify(listed)).not.toContain('127.0.0.1:9');

    const dropped = await cli.run(['webhooks', 'drop', 'siem', 'dead-1', 'head', 'unknown', '--json']);
    expect(dropped.json()).toEqual({ dropped: ['dead-1', 'head'] });
    expect(dropped.err).toContain('unknown: the webhook neither gave this event up nor waits for it');
    expect(dropped.status).toBe(1);
    expect((await cli.run(['webhooks', 'retry', 'siem', '--json'])).json()).toEqual({
      retried: ['head', 'dead-2'],
    });
    const unknown = await cli.run(['webhooks', 'retry', 'siem', 'dead-1']);
    expect(unknown.status).toBe(1);
    expect((await cli.run(['webhooks', 'retry', 'other'])).err).toContain(
      'no webhook of the configuration has this name; there are siem',
    );
  };
  // It delivers nothing itself.
  await besideDaemon(cli, use, { args: ['--only', 'intake'] });
  const state = await withStore((store) => store.state());
  expect(state).toMatchObject({ deadLetters: 1, asked: { retry: true, drop: 'head', ids: ['dead-2'] } });
  expect(state.disabledAt).toBeUndefined();
});

describe('webhooks test', () => {
  it('sends one signed event, and says what the receiver answered', async () => {
    const receiver = await startWebhookReceiver();
    cli.configure(sendingTo(receiver.url));
    const { out, status } = await cli.run(['webhooks', 'test', 'siem']);
    expect(status).toBe(0);
    const [got] = receiver.received;
    expect(out).toBe(`the receiver of siem took the test event ${got?.id}\n`);
    const headers = Object.fromEntries(
      Object.entries(got?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    expect(new Webhook(receiver.secret).verify(got?.body ?? '', headers)).toMatchObject({
      id: got?.id,
      type: 'dev.scopemesh.webhook.tested',
      data: { webhook: 'siem' },
    });
    receiver.answer = () => ({ status: 401 });
    const refused = await cli.run(['webhooks', 'test', 'siem']);
    expect(refused.status).toBe(1);
    expect(refused.err).toContain('the receiver of siem did not take it: answered 401');
    cli.configure(NOWHERE);
    expect((await cli.run(['webhooks', 'test', 'siem'])).err).toContain('ECONNREFUSED');
  });
});
