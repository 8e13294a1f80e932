import { afterEach, describe, expect, it } from 'vitest';
import { readApiToken } from '../../../src/app/api-token.js';
import { assertNoSecret } from '../../support/assert-no-secret.js';
import type { Rig } from '../../support/daemon.js';
import { secretOf } from '../../support/idp.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../../support/orders-rig.js';
import { until } from '../../support/until.js';

let rig: Rig;
afterEach(() => rig.close());

describe('a secret of the configuration', () => {
  it('appears in no log line, decision, metric or status of a run in which much goes wrong', async () => {
    const bearer = 'bearer-token-of-http-tokens-0123456789';
    const tokens = [{ name: 'prometheus', token: bearer }];
    rig = await ordersRig({
      file: { resync: '1s', http: { listen: '127.0.0.1:0', tokens } },
      provider: { poll: '100ms' },
    });
    const daemon = await rig.start();
    await isOpen(rig, READ);
    const local = (await readApiToken(await rig.load())).reveal();
    const refused: string[] = [];
    for (const authorization of [`Bearer ${bearer}x`, `Basic ${local}`]) {
      const answer = await fetch(`${daemon.address}/api/holds/1/approve`, {
        method: 'POST',
        headers: { authorization },
      });
      refused.push(await answer.text());
    }
    await daemon.send({ type: 'client.updated', data: { clientId: 'web-app' }, secret: secretOf(9) });
    const signed = rig.idp.sign({ type: 'client.updated', data: {} });
    await fetch(`${daemon.address}/events/main?token=${rig.idp.directoryToken}`, {
      method: 'POST',
      ...signed,
    });
    rig.idp.fault = (path) => ({ status: 401, json: { error: `bad token ${rig.idp.directoryToken}`, path } });
    await daemon.tell('client.updated', 'web-app');
    await until('a failed poll', () =>
      rig.logs.some((line) => line.includes('polling the identity provider failed')),
    );
    rig.idp.fault = undefined;
    rig.proxy.interfere = () => ({
      status: 403,
      body: `Permission denied: token with AccessorID for ${rig.mesh.consul.managementToken} lacks permission`,
    });
    rig.clock.advance(2_000);
    await until('a failed sweep', () =>
      rig.logs.some((line) => line.includes('comparison with Consul failed')),
    );
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await until('a failed job', () => rig.logs.some((line) => line.includes('job failed')));
    rig.proxy.interfere = () => undefined;
    rig.writeFile({ mode: 'enforced' }, { webhook: { secrets: ['whsec_short', secretOf(11)] } });
    daemon.reload();
    await rig.decided({ reason: 'ConfigRefused' });
    await until('the revocation', async () => {
      rig.clock.advance(61_000);
      return (await rig.mesh.access('orders'))?.web === undefined;
    });
    await isClosed(rig);
    await rig.decided({ subject: EDGE, action: 'revoke', outcome: 'applied' });

    const shown = [
      ...refused,
      ...rig.logs,
      JSON.stringify(await rig.decisions()),
      (await daemon.get('/metrics')).text,
      (await daemon.get('/statusz')).text,
      (await daemon.get('/readyz')).text,
    ];
    const secrets = [
      rig.mesh.consul.managementToken,
      rig.idp.directoryToken,
      rig.idp.webhookSecret,
      rig.idp.webhookSecret.slice('whsec_'.length),
      secretOf(11),
      bearer,
      local,
      signed.headers['webhook-signature']?.slice(3) ?? '',
    ];
    for (const text of shown) assertNoSecret(text, secrets);
    expect(shown.length).toBeGreaterThan(10);
  });
});
