import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guidOf } from '../../../support/entra/tenant.js';
import { keysOf, ordersOf, type PollRig, startPollRig, triggersOf, WEB } from '../poll-rig.js';

const signal = new AbortController().signal;
let rig: PollRig;
beforeEach(async () => {
  rig = await startPollRig();
});
afterEach(() => rig.stop());

describe('the cursor', () => {
  it('continues after a restart, also over pages', async () => {
    const { entra, poll, restart } = rig;
    await poll();
    entra.shape.maxPage = 2;
    for (const name of ['a', 'b', 'c', 'd', 'e']) entra.addClient(name);
    await restart();
    const result = await poll();
    expect(result.gap).toBe(false);
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      expect(keysOf(result), name).toContain(`clientId ${guidOf(name)}`);
  });

  it('reports a gap if roles changed during a restart', async () => {
    const { entra, poll, restart } = rig;
    await poll();
    entra.assignRole('web', 'orders', 'orders.read');
    await restart();
    expect((await poll()).gap).toBe(true);
    expect((await poll()).gap).toBe(false);
  });

  it('starts again with a gap if Graph has forgotten it', async () => {
    const { entra, poll } = rig;
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    entra.shape.forgottenBefore = entra.tenant.changes.length;
    expect(await poll()).toMatchObject({ gap: true, events: [] });
    entra.changePrincipal('web', { accountEnabled: true });
    expect(await poll()).toMatchObject({ gap: false, events: [{}] });
  });

  it('starts again with a gap in whatever words Graph says so', async () => {
    const { entra, poll } = rig;
    await poll();
    const answers = [
      { status: 410 },
      { status: 400, json: { error: { code: 'Directory_BadDeltaToken' } } },
      { status: 404, json: { error: { code: 'syncStateNotFound' } } },
    ];
    for (const answer of answers) {
      entra.fault = (url) =>
        url.pathname === '/v1.0/applications/delta' && url.searchParams.get('$deltatoken') !== 'latest'
          ? answer
          : undefined;
      expect((await poll()).gap, JSON.stringify(answer)).toBe(true);
    }
    entra.fault = undefined;
    expect((await poll()).gap).toBe(false);
  });

  it('starts again with a gap if it watches other properties', async () => {
    const { parts, poll } = rig;
    const { watching, ...rest } = JSON.parse((await poll()).cursor) as { readonly watching: string };
    for (const older of [rest, { ...rest, watching: `${watching}x` }])
      expect((await parts.poll.poll(JSON.stringify(older), signal)).gap).toBe(true);
    expect((await poll()).gap).toBe(false);
  });

  it('starts if Graph does not know deactivation, and reports the other changes', async () => {
    const { entra, poll } = rig;
    entra.shape.unknownProperties.add('isDisabled');
    await poll();
    entra.deactivate('web');
    entra.changePrincipal('web', { accountEnabled: false });
    const result = await poll();
    expect(result.gap).toBe(false);
    expect(new Set(keysOf(result))).toEqual(new Set([WEB]));
    expect(ordersOf(result)).toMatchObject([{ kind: 'client-disabled', clientId: guidOf('web') }]);
  });

  it('starts again with a gap for another version, or for a link to another origin', async () => {
    const { entra, parts, poll } = rig;
    const own = (await poll()).cursor;
    const elsewhere = own.replaceAll(entra.origin, 'https://evil.example.com');
    for (const text of ['', 'nonsense', '{}', '[]', 'null', elsewhere]) {
      const result = await parts.poll.poll(text, signal);
      expect(result.gap, text).toBe(true);
      expect(result.cursor, text).toContain(entra.origin);
    }
  });

  it('goes on after a change that cannot be parsed, which is a gap', async () => {
    const { entra, parts, poll } = rig;
    await poll();
    const next = `${entra.origin}/v1.0/servicePrincipals/delta?$deltatoken=next`;
    entra.fault = (url) =>
      url.pathname === '/v1.0/servicePrincipals/delta'
        ? { status: 200, json: { value: [{ noId: true }], '@odata.deltaLink': next } }
        : undefined;
    const { gap, cursor } = await parts.poll.poll(rig.cursor, signal);
    expect({ gap, isAfterIt: cursor.includes('deltatoken=next') }).toEqual({ gap: true, isAfterIt: true });
  });

  it('stays if a round fails, and a page that leads back or elsewhere is refused', async () => {
    const { entra, parts, poll } = rig;
    await poll();
    entra.changePrincipal('web', { accountEnabled: false });
    const answers = [
      { status: 503 },
      { status: 200, json: { value: [], '@odata.nextLink': 'https://evil.example.com/v1.0/x' } },
      { status: 200, json: { value: [] } },
    ];
    for (const answer of answers) {
      entra.fault = (url) => (url.pathname === '/v1.0/servicePrincipals/delta' ? answer : undefined);
      await expect(parts.poll.poll(rig.cursor, signal)).rejects.toThrow(/Graph/);
    }
    entra.fault = () => ({ status: 429, headers: { 'retry-after': '30' } });
    await expect(parts.poll.poll(rig.cursor, signal)).rejects.toMatchObject({
      code: 'ERR_DIRECTORY_RATE_LIMITED',
      retryAfterMs: 30_000,
    });
    entra.fault = undefined;
    expect(keysOf(await poll())).toEqual([WEB]);
  });
});

describe('what a restart lost', () => {
  it('leads to a complete comparison before anything was read', async () => {
    const { entra, poll, restart } = rig;
    entra.consent('web', 'orders', 'orders.browse');
    await poll();
    entra.consent('web', 'orders', '');
    await restart();
    expect(triggersOf(await poll())).toMatchObject([
      { key: { kind: 'provider' }, fullRead: true, urgent: true },
    ]);
  });

  it('leads to nothing once everything was read', async () => {
    const { entra, parts, poll } = rig;
    entra.consent('web', 'other', 'orders.browse');
    await poll();
    await parts.directory.readAll(signal);
    entra.consent('web', 'other', '');
    expect(triggersOf(await poll())).toEqual([]);
  });
});
