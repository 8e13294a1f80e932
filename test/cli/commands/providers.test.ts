import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ProviderHealth } from '../../../src/app/provider-health.js';
import { printProviders } from '../../../src/cli/terminal/providers-text.js';
import { createScreen } from '../../../src/cli/terminal/screen.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { clientOf, createRig, type Daemon, type Rig } from '../../support/daemon.js';
import { until } from '../../support/until.js';

let rig: Rig;
let cli: CommandLine;

beforeEach(async () => {
  rig = await createRig({ clients: [clientOf('web', 'orders:read')], provider: { poll: '1s' } });
  cli = createCommandLine(rig.mesh);
  configure('127.0.0.1:9');
});
afterEach(async () => {
  cli.close();
  await rig.close();
});

function configure(listen: string, directoryToken = rig.idp.directoryToken): void {
  const main = {
    name: 'main',
    kind: 'oidc',
    issuer: 'http://127.0.0.1/main',
    directory: rig.idp.url,
    directoryToken,
    webhook: { secrets: [rig.idp.webhookSecret] },
  };
  cli.configure({ providers: [main], http: { listen } });
}

const Printed = z.object({
  daemon: z.string(),
  providers: z.array(
    z.object({
      provider: z.string(),
      health: ProviderHealth.nullable(),
      access: z.array(z.object({ permission: z.string(), isGranted: z.boolean() })).nullable(),
      error: z.string().nullable(),
    }),
  ),
});

async function running(): Promise<Daemon> {
  const daemon = await rig.start();
  await until('a poll', async () => (await daemon.status()).providers[0]?.poll?.lastPollAt ?? undefined);
  await daemon.idle();
  configure(daemon.address.slice('http://'.length));
  return daemon;
}

describe('scopemesh providers', () => {
  it('tells what works, by what the running daemon keeps', async () => {
    const daemon = await running();
    await daemon.tell('client.updated', 'web-app');
    await daemon.idle();
    const { status, json } = await cli.run(['providers', '--json']);
    const { daemon: state, providers } = Printed.parse(json());
    expect(status).toBe(0);
    expect(state).toBe('running');
    expect(providers[0]?.access).toEqual([{ permission: `GET ${rig.idp.url}`, isGranted: true }]);
    const health = providers[0]?.health;
    expect(health).toMatchObject({
      kind: 'oidc',
      signals: null,
      subscriptions: [],
      directory: { clients: 1, requests: 1 },
      pause: null,
      rechecks: 1,
      poll: { missedSignals: 0 },
    });
    expect(Date.parse(health?.webhook?.lastEventAt ?? '')).toBeGreaterThan(rig.clock.now() - 60_000);
    expect(health?.webhook?.lagSeconds).toBeGreaterThanOrEqual(0);
    expect(health?.poll?.cursor).toMatch(/^sha256:.{25}…$/);
  });

  it('prints text', async () => {
    const daemon = await running();
    await daemon.tell('client.updated', 'web-app');
    const { out } = await cli.run(['providers']);
    expect(out).toMatch(/^main {2}oidc$/m);
    expect(out).toMatch(/^ {2}webhook {6}last event \d+ s ago, received after \d+\.\d s$/m);
    expect(out).toMatch(/^ {2}poll {9}last \d+ s ago; last event never$/m);
    expect(out).toMatch(/^ {2}directory {4}read completely \d+ s ago: 1 clients, 1 requests$/m);
    expect(out).toMatch(/^ {2}granted {6}GET http:.*: the clients and their scopes$/m);
  });

  it('prints missed events, subscriptions, and shared signals and their silence', () => {
    const health: ProviderHealth = {
      provider: 'main',
      kind: 'oidc',
      webhook: { lastEventAt: null, lagSeconds: null },
      poll: { lastPollAt: null, lastEventAt: null, lagSeconds: null, cursor: 'abc', missedSignals: 3 },
      signals: {
        delivery: 'poll',
        lastEventAt: '2026-01-01T00:00:00Z',
        lagSeconds: 0.5,
        lastPollAt: '2026-01-01T02:59:50Z',
        isSilent: true,
      },
      subscriptions: [
        { name: 'main', renewedAt: '2026-01-01T02:59:00Z', expiresAt: '2026-01-30T03:00:00Z' },
        { name: 'signals/main', renewedAt: '2026-01-01T02:59:00Z', expiresAt: null },
      ],
      directory: { readAt: null, ageSeconds: null, clients: null, requests: null },
      pause: null,
      rechecks: 0,
    };
    let out = '';
    const write = (text: string) => {
      out += text;
    };
    const stdout = { isTTY: false, write };
    const screen = createScreen({ stdout, stderr: stdout, isInputTerminal: false, noColor: true });
    const view = { provider: 'main', kind: 'oidc', health, access: null, error: null };
    printProviders([view], true, Date.parse('2026-01-01T03:00:00Z'), screen);
    expect(out).toMatch(
      /^ {2}signals {6}polled 10 s ago; last signal 3 h ago, received after 0\.5 s; no signal for much longer than usual$/m,
    );
    expect(out).toMatch(/^ {2}stream {7}renewed 60 s ago$/m);
    expect(out).toMatch(/^ {2}subscription renewed 60 s ago, ends in 29 days$/m);
    expect(out).toMatch(/^ {2}missed {7}3 events that the webhook did not bring$/m);
  });

  it('keeps what it knows over a restart', async () => {
    const daemon = await running();
    await daemon.tell('client.updated', 'web-app');
    const { webhook } = (await daemon.status()).providers[0] ?? {};
    await daemon.stop();
    const again = await rig.start();
    expect((await again.status()).providers[0]).toMatchObject({ webhook, directory: { clients: 1 } });
  });

  it('says that no daemon runs, and shows what may be read', async () => {
    const { status, out } = await cli.run(['providers']);
    expect(status).toBe(0);
    expect(out).toContain('No daemon runs here');
    expect(out).toContain(`GET ${rig.idp.url}`);
    expect(out).not.toContain('webhook');
    const { json } = await cli.run(['providers', '--json']);
    expect(Printed.parse(json())).toMatchObject({ daemon: 'not running', providers: [{ health: null }] });
  });

  it('names what is missing, and exits 1', async () => {
    rig.idp.fault = () => ({ status: 403, json: {} });
    const { status, out } = await cli.run(['providers']);
    expect(status).toBe(1);
    expect(out).toMatch(/^ {2}missing {6}GET http:/m);
  });

  it('tells refused credentials from a permission that is missing, with the key of the configuration', async () => {
    rig.idp.fault = () => ({ status: 401, json: {} });
    const { status, out } = await cli.run(['providers']);
    expect(status).toBe(1);
    expect(out).toContain(
      `  access       provider main, ${rig.idp.url}: answered 401: the credentials are refused; set a valid directoryToken`,
    );
    expect(out).not.toContain('missing');
  });

  it('says why a provider cannot be asked, and exits 1', async () => {
    rig.idp.fault = () => ({ status: 500, json: {} });
    const { status, json } = await cli.run(['providers', '--json']);
    expect(status).toBe(1);
    expect(Printed.parse(json()).providers[0]).toMatchObject({ access: null });
    expect(Printed.parse(json()).providers[0]?.error).toContain('answered 500');
  });
});
