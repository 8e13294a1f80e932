import { expect, it } from 'vitest';
import type { WebhookStatus } from '../../../src/app/webhook-status.js';
import { webhookFindings } from '../../../src/cli/doctor/webhook-findings.js';
import { Secret } from '../../../src/model/secret.js';
import { secretOf } from '../../support/idp.js';
import { startWebhookReceiver } from '../../support/webhook-receiver.js';

const NOW = Date.parse('2026-03-01T10:00:00.000Z');

it('doctor says which receivers can be reached, and what a webhook has not delivered', async () => {
  const receiver = await startWebhookReceiver();
  const settings = { secrets: [new Secret(secretOf(1))], types: ['*'], timeoutMs: 1_000 };
  const webhooks = [
    { ...settings, name: 'siem', url: receiver.url },
    { ...settings, name: 'away', url: 'http://127.0.0.1:9/hook' },
    // It does not speak TLS.
    { ...settings, name: 'plain', url: receiver.url.replace('http:', 'https:') },
  ];
  const letter = { id: 'e1', type: 't', at: '2026-03-01T09:00:00.000Z', attempts: 8, error: 'answered 422' };
  const status = (name: string, changes: Partial<WebhookStatus>): WebhookStatus => ({
    name,
    state: 'delivering',
    disabledAt: null,
    failing: null,
    deadLetters: [],
    ...changes,
  });
  const failing = {
    ...letter,
    id: 'e2',
    since: '2026-03-01T09:00:00.000Z',
    refusals: 0,
    error: 'ECONNREFUSED',
  };
  const daemon = {
    webhooks: [status('siem', { deadLetters: [letter] }), status('away', { state: 'failing', failing })],
  };
  const config = { decisions: { kind: 'embedded', keepMs: 1, webhooks } } as const;
  const findings = await webhookFindings(config, daemon, NOW);
  expect(findings.map(({ id, severity }) => `${id} ${severity}`)).toEqual([
    'webhook ok',
    'webhook.dead warning',
    'webhook warning',
    'webhook.failing warning',
    'webhook warning',
  ]);
  expect(findings[2]?.message).toBe(
    'the receiver of the webhook away cannot be reached from here: ECONNREFUSED',
  );
  expect(findings[3]).toMatchObject({
    message: 'the webhook away has waited for 1h: 8 attempts failed, the last with: ECONNREFUSED',
    remedy: 'correct the receiver, then run scopemesh webhooks retry away',
  });
  expect(receiver.received).toEqual([]);
  const disabled = { webhooks: [status('siem', { state: 'disabled', disabledAt: letter.at })] };
  const [, gone] = await webhookFindings(config, disabled, NOW);
  expect(gone).toMatchObject({ id: 'webhook.disabled', severity: 'warning' });
});
