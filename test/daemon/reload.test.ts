import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Decision } from '../../src/model/decision.js';
import { type Daemon, type Rig, SCOPES } from '../support/daemon.js';
import { secretOf } from '../support/idp.js';
import { EDGE, isClosed, isOpen, ordersRig, READ } from '../support/orders-rig.js';
import { until } from '../support/until.js';

let rig: Rig;
let daemon: Daemon;
afterEach(() => rig.close());

async function running(): Promise<void> {
  rig = await ordersRig();
  daemon = await rig.start();
  await isOpen(rig, READ);
  await daemon.idle();
}

const ALL = 'GET /v1/orders and below';
const NARROW = { ...SCOPES, 'orders:read': { to: 'orders', methods: ['GET'], path: '/v1/orders' } };
const reloads = async () => (await rig.decisions()).filter(({ resource }) => resource.kind === 'config');
const reloaded = (count: number): Promise<Decision> =>
  until(`reload ${count}`, async () => (await reloads())[count - 1]);
const pathsOf = (decision: Decision): readonly string[] =>
  Array.isArray(decision.after) ? decision.after.map(({ path }: { path: string }) => path) : [];

describe('a reload', () => {
  it('changes the edges and produces a decision with the difference', async () => {
    await running();
    const { mappingRevision } = await daemon.status();
    rig.writeFile({ scopes: NARROW });
    daemon.reload();
    await isOpen(rig, ALL);
    expect(await reloaded(1)).toMatchObject({
      type: 'dev.scopemesh.config.reloaded',
      outcome: 'applied',
      reason: 'ConfigReloaded',
    });
    expect(pathsOf(await reloaded(1)).some((path) => path.startsWith('scopes.orders:read'))).toBe(true);
    expect((await daemon.status()).mappingRevision).not.toBe(mappingRevision);
    expect(await rig.decided({ subject: EDGE, action: 'revoke' })).toMatchObject({
      reason: 'MappingChanged',
      cause: { kind: 'config' },
    });
  });

  it('ends what was held by a rule that is gone', async () => {
    rig = await ordersRig();
    await rig.mesh.speaks('orders', 'tcp');
    daemon = await rig.start();
    await rig.decided({ subject: EDGE, reason: 'ProtocolUnsuitable' });
    await daemon.idle();
    rig.writeFile({ scopes: { '{service}:connect': { to: '{service}' } } });
    daemon.reload();
    await rig.decided({ subject: EDGE, reason: 'HoldEnded' });
  });

  it('of a bad file is refused, logged and counted, and the old file stays in effect', async () => {
    await running();
    const { mappingRevision } = await daemon.status();
    writeFileSync(join(rig.directory, 'scopemesh.yaml'), 'owner: payments\nmode: enforced\n');
    daemon.reload();
    expect(await reloaded(1)).toMatchObject({
      type: 'dev.scopemesh.config.rejected',
      outcome: 'refused',
      reason: 'ConfigRefused',
    });
    expect((await reloaded(1)).detail).toContain('mode');
    expect(await daemon.metric('scopemesh_config_reload_failures_total')).toBe(1);
    expect((await daemon.status()).mappingRevision).toBe(mappingRevision);
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await isClosed(rig);
  });

  it('changes webhook secrets and http.tokens at once, and accepts no old secret again', async () => {
    await running();
    const event = { type: 'client.updated', data: { clientId: 'web-app' } };
    const [added, removed] = [secretOf(9), rig.idp.webhookSecret];
    const token = 'token-of-somebody-0123456789-abcdefgh';
    const authorization = `Bearer ${token}`;
    const ask = async () =>
      (await fetch(`${daemon.admin}/api/unknown`, { headers: { authorization } })).status;
    expect([await daemon.send({ ...event, secret: added }), await ask()]).toEqual([401, 401]);
    const http = { listen: '127.0.0.1:0', tokens: [{ name: 'somebody', token }] };
    rig.writeFile({ http }, { webhook: { secrets: [added] } });
    daemon.reload();
    await until('the new secrets', async () =>
      (await daemon.send({ ...event, secret: added })) === 202 && (await ask()) === 404 ? true : undefined,
    );
    expect(await daemon.send({ ...event, secret: removed })).toBe(401);
    const first = await reloaded(1);
    expect(first.detail).toBeUndefined();
    expect(JSON.stringify(first)).not.toContain(token);

    rig.writeFile({}, { webhook: undefined });
    daemon.reload();
    await until('the end of the token', async () => ((await ask()) === 401 ? true : undefined));
    expect((await reloaded(2)).detail).toContain('restart: providers.main.webhookSecrets');
    // No secret of the past is accepted again.
    for (const secret of [added, removed]) expect(await daemon.send({ ...event, secret })).toBe(401);
    rig.writeFile({}, { webhook: { secrets: [added] } });
    daemon.reload();
    await until('the secret', async () => (await daemon.send({ ...event, secret: added })) === 202);
    rig.writeFile({}, { name: 'renamed' });
    daemon.reload();
    await reloaded(4);
    await daemon.idle();
    expect(await daemon.send({ ...event, secret: removed })).toBe(401);
  });

  it('takes resync, services.claims and claimGrace with a new term, and keeps what is open', async () => {
    await running();
    const { epoch } = await daemon.status();
    rig.writeFile({ resync: '30m', services: { claims: 'first', claimGrace: '10m' } });
    daemon.reload();
    await until('a new term', async () => {
      const { leader, epoch: next } = await daemon.status();
      return leader && next !== epoch;
    });
    await until('the record of the claim', async () =>
      Array.isArray(await rig.mesh.request('GET', '/v1/kv/scopemesh/payments/claims/main/web-app')),
    );
    const decision = await reloaded(1);
    expect(pathsOf(decision)).toEqual(['resyncMs', 'services.claimGraceMs', 'services.claims']);
    expect(decision.detail).toBeUndefined();
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
  });

  it('compares with the last good file, however fast they come', async () => {
    await running();
    rig.writeFile({ guards: { protected: ['vault'] } });
    daemon.reload();
    await reloaded(1);
    writeFileSync(join(rig.directory, 'scopemesh.yaml'), 'not: a configuration');
    daemon.reload();
    await reloaded(2);
    rig.writeFile({ guards: { protected: ['vault', 'safe'] } });
    daemon.reload();
    daemon.reload();
    daemon.reload();
    await reloaded(5);
    const [first, , third, fourth, fifth] = await reloads();
    expect(first?.after).toMatchObject([{ path: 'guards.protected', after: ['vault'] }]);
    expect(third?.after).toEqual([{ path: 'guards.protected', before: ['vault'], after: ['vault', 'safe'] }]);
    expect([fourth?.after, fifth?.after]).toEqual([[], []]);
  });

  it('shows no secret, and lists the settings that wait for a restart', async () => {
    await running();
    const token = 'another-consul-token-0123456789';
    rig.writeFile({
      mode: 'observe',
      consul: { address: rig.proxy.address, token },
      services: { clientMeta: 'client' },
    });
    daemon.reload();
    const decision = await reloaded(1);
    expect(JSON.stringify(decision)).not.toContain(token);
    expect(JSON.stringify(decision)).not.toContain(rig.mesh.consul.managementToken);
    expect(pathsOf(decision)).toEqual(['consul.token', 'mode', 'services.clientMeta']);
    expect(decision.detail).toContain('consul.token, services.clientMeta');
    expect(decision.detail).toContain('restart');
    const status = await daemon.status();
    expect(status.mode).toBe('observe');
    rig.idp.put('web-app');
    await daemon.tell('client.updated', 'web-app');
    await rig.decided({ subject: EDGE, reason: 'ModeForbids' });
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
  });

  it('from observe to another mode takes the lock in Consul before anything is written, and gives it back', async () => {
    rig = await ordersRig();
    rig.writeFile({ mode: 'observe' });
    daemon = await rig.start();
    await rig.decided({ subject: EDGE, outcome: 'observed' });
    const leader = async () => (await daemon.status()).leading;
    const { epoch = 0 } = (await leader()) ?? {};
    const holder = async () => {
      const answer = await rig.mesh.request('GET', '/v1/kv/scopemesh/payments/leader');
      return Array.isArray(answer) ? answer[0]?.Session : undefined;
    };
    expect(await holder()).toBeUndefined();
    let heldAtFirstWrite: unknown;
    rig.proxy.interfere = async ({ method, target }) => {
      if (method === 'PUT' && target.startsWith('/v1/config'))
        heldAtFirstWrite ??= (await holder()) ?? 'nobody';
      return undefined;
    };
    rig.writeFile({ mode: 'enforce' });
    daemon.reload();
    await isOpen(rig, READ);
    expect(heldAtFirstWrite).toMatch(/^[0-9a-f-]{36}$/);
    expect((await leader())?.epoch).toBeGreaterThan(epoch);
    rig.writeFile({ mode: 'observe' });
    daemon.reload();
    await until('the lock is free', async () => (await holder()) === undefined);
  });

  it('that removes a provider from the file closes nothing before the restart', async () => {
    await running();
    rig.writeFile({}, { name: 'renamed' });
    daemon.reload();
    const decision = await reloaded(1);
    expect(decision.detail).toContain('restart');
    await daemon.idle();
    expect((await rig.mesh.access('orders'))?.web).toBe(READ);
    expect(rig.proxy.writes).toHaveLength(1);
  });

  it('refuses another owner', async () => {
    await running();
    rig.writeFile({ owner: 'somebody' });
    daemon.reload();
    expect(await reloaded(1)).toMatchObject({ outcome: 'refused' });
    expect((await reloaded(1)).detail).toContain('docs/how-to/change-the-configuration.md');
  });
});
