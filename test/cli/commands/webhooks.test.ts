import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { WebhookCursor } from '../../../src/decisions/webhook-cursor.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { createEmbeddedStore } from '../../../src/queue/embedded/store.js';
import { besideDaemon } from '../../support/beside-daemon.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { secretOf } from '../../support/idp.js';
import { startWebhookReceiver } from '../../support/webhook-receiver.js';

const SINCE = '2026-01-01T00:00:00.000Z';
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
async function withCursor<T>(use: (cursor: WebhookCursor) => Promise<T>): Promise<T> {
  const runtime = { logger: silentLogger, metrics: noMetrics, clock: systemClock };
  const store = createEmbeddedStore({ directory: join(cli.directory, 'state'), ...runtime });
  try {
    return await use(new WebhookCursor(store.keyValues, 'siem'));
  } finally {
    await store.close();
  }
}

it('webhooks are listed, and moved past the event that they wait for', async () => {
  const failing = { id: 'head', type: 't', since: SINCE, attempts: 3, error: 'ECONNREFUSED', behind: '7' };
  await withCursor((cursor) => cursor.move(undefined, { position: '6', failing }));
  const use = async () => {
    const { out, status } = await cli.run(['webhooks']);
    expect(status).toBe(0);
    expect(out).toContain('failing     siem\n');
    expect(out).toContain('waits  head  t  3 attempts failed, for ');
    const listed = (await cli.run(['webhooks', 'list', '--json'])).json();
    expect(listed).toMatchObject({ webhooks: [{ name: 'siem', state: 'failing', failing: { id: 'head' } }] });
    expect(JSON.stringify(listed)).not.toContain('127.0.0.1:9');

    const unknown = await cli.run(['webhooks', 'skip', 'siem', 'other']);
    expect(unknown.status).toBe(1);
    expect(unknown.err).toContain('the webhook siem does not wait for other');
    expect((await cli.run(['webhooks', 'skip', 'siem', 'head', '--json'])).json()).toEqual({
      skipped: 'head',
    });
    expect((await cli.run(['webhooks'])).out).toContain('delivering  siem\n');
    expect((await cli.run(['webhooks', 'skip', 'other', 'head'])).err).toContain(
      'no webhook of the configuration has this name; there are siem',
    );
  };
  // It delivers nothing itself.
  await besideDaemon(cli, use, { args: ['--only', 'intake'] });
  expect(await withCursor((cursor) => cursor.read())).toEqual({ position: '7' });
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
