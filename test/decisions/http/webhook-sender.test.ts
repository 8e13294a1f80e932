import { Webhook } from 'standardwebhooks';
import { describe, expect, it, onTestFinished } from 'vitest';
import { systemClock } from '../../../src/clock.js';
import { createWebhookSender } from '../../../src/decisions/http/webhook-sender.js';
import { Secret } from '../../../src/model/secret.js';
import { secretOf } from '../../support/idp.js';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js';

const EVENT = { id: '01J0000000000000000000000A', text: '{"specversion":"1.0","detail":"líne"}' };
const never = new AbortController().signal;

function senderTo(receiver: WebhookReceiver, secrets = [receiver.secret], timeoutMs = 100_000) {
  const sender = createWebhookSender({
    name: 'audit',
    url: receiver.url,
    secrets: secrets.map((secret) => new Secret(secret)),
    timeoutMs,
    clock: systemClock,
  });
  onTestFinished(() => sender.close());
  return sender;
}

describe('the sender of a webhook', () => {
  it('signs so that another implementation of Standard Webhooks accepts it, with the old secret and with the new one', async () => {
    const receiver = await startWebhookReceiver();
    const [former, next] = [secretOf(1), secretOf(2)];
    expect(await senderTo(receiver, [former, next]).send(EVENT, never)).toEqual({ kind: 'delivered' });
    const [got] = receiver.received;
    expect(got?.body).toBe(EVENT.text);
    expect(got?.headers).toMatchObject({
      'content-type': 'application/cloudevents+json',
      'webhook-id': EVENT.id,
    });
    const headers = Object.fromEntries(
      Object.entries(got?.headers ?? {}).map(([name, value]) => [name, String(value)]),
    );
    for (const secret of [former, next])
      expect(new Webhook(secret).verify(got?.body ?? '', headers)).toEqual(JSON.parse(EVENT.text));
    expect(() => new Webhook(secretOf(3)).verify(got?.body ?? '', headers)).toThrow();
    expect(() => new Webhook(next).verify(`${got?.body} `, headers)).toThrow();
  });

  it.each([
    [200, {}, { kind: 'delivered' }],
    [410, {}, { kind: 'failed', error: 'answered 410' }],
    [400, {}, { kind: 'failed', error: 'answered 400' }],
    [401, {}, { kind: 'failed', error: 'answered 401' }],
    [403, {}, { kind: 'failed', error: 'answered 403' }],
    [404, {}, { kind: 'failed', error: 'answered 404' }],
    [500, { 'retry-after': '9' }, { kind: 'failed', error: 'answered 500' }],
    [429, { 'retry-after': '7' }, { kind: 'failed', error: 'answered 429', retryAfterMs: 7000 }],
    [503, { 'retry-after': '99999999' }, { kind: 'failed', error: 'answered 503', retryAfterMs: 3_600_000 }],
    [503, { 'retry-after': 'soon' }, { kind: 'failed', error: 'answered 503' }],
  ])('understands the answer %i %j', async (status, headers, expected) => {
    const receiver = await startWebhookReceiver();
    receiver.answer = () => ({ status, headers });
    expect(await senderTo(receiver).send(EVENT, never)).toEqual(expected);
  });

  it('follows no redirect', async () => {
    const [receiver, elsewhere] = [await startWebhookReceiver(), await startWebhookReceiver()];
    receiver.answer = () => ({ status: 307, headers: { location: elsewhere.url } });
    expect(await senderTo(receiver).send(EVENT, never)).toMatchObject({
      kind: 'failed',
      error: 'answered 307, a redirect, which is not followed',
    });
    expect(elsewhere.received).toEqual([]);
  });

  it('reads an answer without end only to a limit', async () => {
    const receiver = await startWebhookReceiver();
    const closed = new Promise<void>((resolve) => {
      receiver.answer = (_, response) => {
        response.on('close', resolve);
        response.writeHead(200);
        const fill = () => {
          while (!response.destroyed && response.write(Buffer.alloc(4096, 'x')));
        };
        response.on('drain', fill);
        fill();
        return undefined;
      };
    });
    expect(await senderTo(receiver).send(EVENT, never)).toEqual({ kind: 'delivered' });
    await closed;
  });

  it('gives up a receiver that does not answer, or cannot be reached, and says neither its address nor its words', async () => {
    const receiver = await startWebhookReceiver();
    receiver.answer = () => undefined;
    const sender = senderTo(receiver, [receiver.secret], 20);
    expect(await sender.send(EVENT, never)).toEqual({
      kind: 'failed',
      error: 'no answer within 20 ms',
    });
    const failed = await senderTo({ ...receiver, url: 'http://127.0.0.1:9/secret' }).send(EVENT, never);
    expect(failed).toEqual({ kind: 'failed', error: 'ECONNREFUSED' });
  });

  it('refuses a secret that cannot be valid without quoting it', async () => {
    const receiver = await startWebhookReceiver();
    expect(() => senderTo(receiver, ['whsec_short'])).toThrow(
      'webhook audit has a secret that is not base64 after whsec_',
    );
  });
});
