import { Webhook } from 'standardwebhooks';
import { afterEach, expect, it } from 'vitest';
import type { Rig } from '../../support/daemon.js';
import { secretOf } from '../../support/idp.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';
import { startWebhookReceiver, type WebhookReceiver } from '../../support/webhook-receiver.js';

const LONG_MS = 100_000;

let rig: Rig;
afterEach(() => rig.close());

const eventsOf = (receiver: WebhookReceiver) =>
  receiver.received
    .filter(({ id }) => receiver.taken.includes(id))
    .map(
      ({ body }) =>
        JSON.parse(body) as { id: string; type: string; subject: string; data: { action: string } },
    );

it('a receiver gets each decision, signed, also what was decided while it or the daemon was away', async () => {
  const [receiver, broken] = [await startWebhookReceiver(), await startWebhookReceiver()];
  broken.answer = () => undefined;
  const named = (name: string, { url, secret }: WebhookReceiver) => ({ name, url, secrets: [secret] });
  const webhooks = [
    { ...named('broken', broken), secrets: [secretOf(6)], timeout: '60s' },
    { ...named('siem', receiver), types: ['dev.scopemesh.intention.*'] },
  ];
  rig = await ordersRig({ file: { decisions: { kind: 'embedded', webhooks } } });
  const daemon = await rig.start();
  await isOpen(rig, READ);
  const granted = await rig.decided({ subject: EDGE, action: 'grant' });
  const arrived = (id: string) => until(`decision ${id}`, () => receiver.taken.includes(id), LONG_MS);
  await arrived(granted.id);
  const [got] = receiver.received.filter(({ id }) => id === granted.id);
  const headers = Object.fromEntries(
    Object.entries(got?.headers ?? {}).map(([name, value]) => [name, String(value)]),
  );
  expect(new Webhook(receiver.secret).verify(got?.body ?? '', headers)).toMatchObject({
    id: granted.id,
    subject: EDGE,
    data: { action: 'grant', reason: granted.reason },
  });

  // A receiver that does not answer delays neither the revocation nor the other one.
  await until('the broken receiver has a request', () => broken.received.length > 0, LONG_MS);
  rig.idp.put('web-app');
  await daemon.tell('client.updated', 'web-app');
  await isClosed(rig);
  const revoked = await rig.decided({ subject: EDGE, action: 'revoke' });
  await arrived(revoked.id);
  expect((await daemon.status()).webhooks[1]).toMatchObject({ name: 'siem', state: 'delivering' });

  receiver.answer = () => ({ status: 503 });
  rig.idp.put('web-app', 'orders:read');
  await daemon.tell('client.updated', 'web-app');
  await isOpen(rig, READ);
  const again = await rig.decided(
    ({ subject, action, revision }) => subject === EDGE && action === 'grant' && revision > revoked.revision,
  );
  await until('it fails', async () => (await daemon.status()).webhooks[1]?.failing?.id === again.id, LONG_MS);
  expect(await daemon.metric('scopemesh_webhook_failing_seconds{webhook="siem"}')).toBeDefined();
  await daemon.stop();
  receiver.answer = () => ({ status: 200 });
  await rig.start();
  await arrived(again.id);
  const events = eventsOf(receiver);
  expect(events.every(({ type }) => type.startsWith('dev.scopemesh.intention.'))).toBe(true);
  const ofEdge = [...new Map(events.map((event) => [event.id, event])).values()].filter(
    ({ subject }) => subject === EDGE,
  );
  expect(ofEdge.map(({ data }) => data.action)).toEqual(['grant', 'revoke', 'grant']);
  // No secret in the log.
  expect(rig.logs.join('\n')).not.toContain(receiver.secret.slice('whsec_'.length));
});
