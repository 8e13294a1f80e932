import { afterEach, describe, expect, it } from 'vitest';
import type { KnownHolds } from '../../../src/app/plan-view.js';
import { readBuild, versionText } from '../../../src/app/version.js';
import { daemonFindings } from '../../../src/cli/doctor/daemon-findings.js';
import { type CommandLine, createCommandLine } from '../../support/command-line.js';
import { createRig, type Rig } from '../../support/daemon.js';

const NOW = Date.parse('2026-01-31T12:00:00Z');
let rig: Rig | undefined;
let cli: CommandLine | undefined;
afterEach(async () => {
  cli?.close();
  await rig?.close();
  rig = undefined;
});

async function findings(status: unknown, known: KnownHolds = new Map()) {
  rig ??= await createRig();
  return daemonFindings({ status }, known, await rig.load(), NOW);
}

const quiet = {
  ...readBuild(),
  parked: [],
  closures: [],
  replicas: [],
  configuration: { revision: '', waitingForRestart: [] },
};

describe('what the running daemon waits for', () => {
  it('is not called ok where no daemon answers, or one of another version', async () => {
    expect(await findings(undefined)).toMatchObject([
      { id: 'version', severity: 'ok' },
      { id: 'daemon', severity: 'notice', message: expect.stringContaining('not checked') },
    ]);
    expect(await findings({ owner: 'payments' })).toMatchObject([
      { id: 'version', severity: 'ok' },
      { id: 'daemon', severity: 'notice' },
    ]);
  });

  it('says which build this is, and whether the daemon is another one', async () => {
    const build = readBuild();
    const found = async (status: object) =>
      (await findings({ ...quiet, ...status })).find(({ id }) => id === 'version');
    expect(await found(build)).toMatchObject({
      severity: 'ok',
      message: `this is scopemesh ${versionText(build)}, and the daemon too`,
    });
    expect(await found({ version: '1.0.0', commit: '97b82056e1f0' })).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('the daemon is 1.0.0+97b82056e1f0'),
      remedy: expect.stringContaining('restart the daemon'),
    });
  });

  it('is not called ok where the daemon refuses its status, and the reason is shown', async () => {
    rig = await createRig();
    const found = daemonFindings({ refusal: 'the file X is not readable' }, new Map(), await rig.load(), NOW);
    expect(found).toMatchObject([
      { id: 'version', severity: 'ok' },
      { id: 'daemon', severity: 'notice', message: expect.stringContaining('the file X is not readable') },
    ]);
  });

  it('names each parked key with its error and how it is retried', async () => {
    const parked = [
      { key: 'client/main/web', attempts: 8, error: 'refused: why', since: '2026-01-31T11:58:00Z' },
    ];
    const found = await findings({ ...quiet, parked });
    expect(found.find(({ id }) => id === 'parked')).toMatchObject({
      severity: 'warning',
      message:
        'the key client/main/web has been parked for 2m: 8 attempts failed, the last with: refused: why',
      remedy: expect.stringMatching(
        /run scopemesh parked retry client\/main\/web; .*the next complete comparison/,
      ),
    });
  });

  it('gives the command for each removal that a person may approve, and not for other holds', async () => {
    const found = await findings(
      undefined,
      new Map([
        [
          'a RevocationLimit',
          {
            reason: 'RevocationLimit' as const,
            decisionId: '01A',
            rejectedBy: null,
            since: '2026-01-31T12:00:00.000Z',
          },
        ],
        [
          'b RevocationLimit',
          {
            reason: 'RevocationLimit' as const,
            decisionId: '01B',
            rejectedBy: 'bob',
            since: '2026-01-31T12:00:00.000Z',
          },
        ],
        [
          'c MarkLost',
          {
            reason: 'MarkLost' as const,
            decisionId: '01C',
            rejectedBy: null,
            since: '2026-01-31T12:00:00.000Z',
          },
        ],
      ]),
    );
    expect(found.find(({ id }) => id === 'holds')).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('holds 1 removals'),
      remedy: expect.stringMatching(/then run scopemesh approve 01A$/),
    });
    expect(found.find(({ id }) => id === 'holds.rejected')).toMatchObject({ severity: 'notice' });
  });

  it('names the replicas, a part that none of them runs, different versions and different mappings', async () => {
    const replica = (name: string, more: object = {}) => ({
      replica: name,
      version: '1.0.0',
      parts: ['intake', 'watch', 'reconcile', 'relay'],
      leader: false,
      seenSeconds: 2,
      mapping: { mode: 'enforce', revision: 'sha256:0123456789abcdef' },
      ...more,
    });
    const of = async (...replicas: object[]) =>
      (await findings({ ...quiet, replicas })).filter(({ id }) => id.startsWith('replicas'));
    expect(await of()).toEqual([]);
    const hostile = replica('a/1', { version: '1.0.0\u001b[2J' });
    const notices = await of(hostile, replica('b/2'));
    expect(notices.some(({ message }) => message.includes('\u001b'))).toBe(false);
    expect(await of(replica('a/1', { leader: true }), replica('b/2'))).toMatchObject([
      {
        severity: 'ok',
        message: 'the replicas run every part: a/1 (1.0.0, leads, seen 2s ago), b/2 (1.0.0, seen 2s ago)',
      },
    ]);
    const mapping = { mode: 'observe', revision: 'sha256:fedcba9876543210' };
    expect((await of(replica('a/1'), replica('b/2', { mapping })))[1]).toMatchObject({
      id: 'replicas.mappings',
      severity: 'warning',
      message: expect.stringMatching(
        /a\/1 \(enforce, sha256:0123456789ab\).*b\/2 \(observe, sha256:fedcba987654\)/,
      ),
    });
    const split = [
      replica('a/1', { parts: ['watch', 'reconcile'] }),
      replica('b/2', { parts: ['intake'], version: '0.9.0' }),
    ];
    expect(await of(...split)).toMatchObject([
      {
        id: 'replicas',
        severity: 'warning',
        message: expect.stringMatching(/^no replica runs relay: a\/1 .*only watch,reconcile/),
      },
      { id: 'replicas.versions', severity: 'notice', message: expect.stringContaining('0.9.0, 1.0.0') },
    ]);
  });

  it('gives the command that ends a quarantine', async () => {
    const closures = [{ provider: 'main', clientId: 'bot', closure: 'ClientQuarantined' }];
    expect((await findings({ ...quiet, closures })).find(({ id }) => id === 'quarantine')).toMatchObject({
      severity: 'warning',
      remedy: expect.stringContaining('scopemesh approve main/bot'),
    });
  });
});

describe('doctor beside a daemon', () => {
  it('says which settings wait for a restart, and that the file was not read again', async () => {
    rig = await createRig();
    const daemon = await rig.start();
    const setting = async (status: unknown) =>
      (await findings(status)).find(({ id }) => id === 'configuration');
    expect(await setting(await daemon.status())).toMatchObject({ severity: 'ok' });
    rig.writeFile({}, { audience: 'consul' });
    expect(await setting(await daemon.status())).toMatchObject({
      severity: 'warning',
      remedy: expect.stringContaining('SIGHUP'),
    });
    daemon.reload();
    await rig.decided({ reason: 'ConfigReloaded' });
    expect(await setting(await daemon.status())).toMatchObject({
      severity: 'warning',
      message: expect.stringContaining('providers.main.audience'),
      remedy: 'restart the daemon',
    });
  });

  it('says when the webhook last brought an event, and that it never did', async () => {
    rig = await createRig({ clients: [{ clientId: 'web-app', grantTypes: [], scopes: [] }] });
    const daemon = await rig.start();
    const { port } = new URL(daemon.address);
    cli = createCommandLine(rig.mesh);
    const webhook = async (listen: string) => {
      const [provider] = (await rig?.load())?.providers ?? [];
      cli?.configure({
        http: { listen },
        providers: [
          {
            name: 'main',
            kind: 'oidc',
            issuer: provider?.issuer,
            directory: rig?.idp.url,
            directoryToken: rig?.idp.directoryToken,
            webhook: { secrets: [rig?.idp.webhookSecret] },
          },
        ],
      });
      const ran = await cli?.run(['doctor', '--json']);
      const found = (ran?.json().findings ?? []) as { id: string; severity: string; message: string }[];
      return found.find(({ id }) => id === 'provider.main.webhook');
    };
    const running = `127.0.0.1:${port}`;
    expect(await webhook('127.0.0.1:9')).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('no daemon answers'),
    });
    expect(await webhook(running)).toMatchObject({
      severity: 'notice',
      message: expect.stringContaining('last event: never'),
    });
    await daemon.tell('client.updated', 'web-app');
    expect(await webhook(running)).toMatchObject({
      severity: 'ok',
      message: expect.stringMatching(/last event: \d+s ago/),
    });
  });
});
