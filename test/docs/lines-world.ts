import { writeFile } from 'node:fs/promises';
import { type Scopemesh, startScopemesh } from '../e2e/scopemesh.js';
import { freePort } from '../stack/ports.js';
import { until } from '../stack/process.js';
import { type Idp, type SignableEvent, startIdp } from '../support/idp.js';
import { type Mesh, startMesh } from '../support/mesh.js';
import { createLinesShell, type LinesShell } from './lines-shell.js';

type Parts = Readonly<Record<string, unknown>>;

/** An embedded Consul, an imitated identity provider, the built daemon beside them, and a shell for lines of the manual. */
export interface LinesWorld extends LinesShell {
  readonly mesh: Mesh;
  readonly idp: Idp;
  readonly daemon: Scopemesh;
  readonly port: number;
  /** Replaces parts of the daemon's file, and does nothing to the daemon. */
  configure(parts: Parts): Promise<void>;
  /** Stops the daemon, does the work, and starts it again with what the file says now. */
  restart(work?: () => Promise<void>): Promise<void>;
  /** Sends a signed event to the daemon; resolves with the status. */
  send(event: SignableEvent): Promise<number>;
  /** All decisions in the log, oldest first. */
  decisions(): Promise<readonly Decided[]>;
  /** The first decision that is like this, once it is in the log. */
  decided(like: Partial<Decided>): Promise<Decided>;
}

/** The parts of decisions that the tests look at. */
export interface Decided {
  readonly id: string;
  readonly subject: string;
  readonly reason: string;
  readonly outcome: string;
}

export async function startLinesWorld(options: {
  /** Parts of the file beside those that every world has. */
  readonly file?: Parts;
  readonly prepare?: (world: { readonly mesh: Mesh; readonly idp: Idp }) => void | Promise<void>;
  readonly withConsul?: boolean;
}): Promise<LinesWorld> {
  const mesh = await startMesh();
  const idp = await startIdp({ single: true, now: Date.now });
  await mesh.speaks('orders', 'http');
  for (const service of ['orders', 'ledger']) await mesh.register(service);
  await options.prepare?.({ mesh, idp });
  const port = await freePort();
  const base = {
    owner: 'payments',
    mode: 'enforce',
    consul: { address: mesh.consul.address, token: mesh.consul.managementToken },
    providers: [providerOf(idp)],
    scopes: {
      'orders:read': { to: 'orders', methods: ['GET', 'HEAD'], path: '/v1/orders' },
      'orders:write': { to: 'orders', methods: ['POST'], path: '/v1/orders' },
      '{service}:connect': { to: '{service}' },
    },
    http: { listen: `127.0.0.1:${port}` },
    ...options.file,
  };
  let stateDirectory: Parts = {};
  const daemon = await startScopemesh({
    listen: `127.0.0.1:${port}`,
    configuration: (state) => {
      stateDirectory = state;
      return JSON.stringify({ ...base, state });
    },
  });
  const shell = await createLinesShell({ ...options, ...mesh, configFile: daemon.configFile });
  const self: LinesWorld = {
    ...shell,
    mesh,
    idp,
    daemon,
    port,
    configure: (parts) =>
      writeFile(daemon.configFile, JSON.stringify({ ...base, state: stateDirectory, ...parts })),
    async restart(work) {
      await daemon.stop();
      await work?.();
      await daemon.start();
      await daemon.ready();
      await daemon.idle();
    },
    async send(event) {
      const { headers, body } = idp.sign(event);
      return (await fetch(`${daemon.address}/events/main`, { method: 'POST', headers, body })).status;
    },
    async decisions() {
      const lines = (await shell.run('scopemesh decisions list --json')).split('\n');
      return lines.filter((line) => line !== '').map(toDecided);
    },
    decided: (like) =>
      until(`a decision ${JSON.stringify(like)}`, async () =>
        (await self.decisions()).find((decision) => isLike(decision, like)),
      ),
    async close() {
      await daemon.dispose();
      await idp.close();
      await mesh.consul.close();
      await shell.close();
    },
  };
  await daemon.ready();
  await daemon.idle();
  return self;
}

/** The provider `main`, which hears of a change by an event, or at the next poll. */
export function providerOf(idp: Idp): Parts {
  return {
    name: 'main',
    kind: 'oidc',
    issuer: idp.issuer,
    directory: idp.url,
    directoryToken: idp.directoryToken,
    webhook: { secrets: [idp.webhookSecret] },
    poll: '200ms',
    fullRead: '1s',
  };
}

/** Registers a service and its client, each of which names the other. */
export async function addCaller(
  { mesh, idp }: { readonly mesh: Mesh; readonly idp: Idp },
  service: string,
  ...scopes: string[]
): Promise<void> {
  await mesh.register(service, { client: `${service}-app` });
  idp.put(`${service}-app`, ...scopes);
  idp.change(`${service}-app`, { attributes: { 'consul-services': service } });
}

function toDecided(line: string): Decided {
  const { id, subject, data } = Object(JSON.parse(line));
  return { id, subject, reason: data.reason, outcome: data.outcome };
}

function isLike(decision: Decided, like: Partial<Decided>): boolean {
  const known = new Map<string, unknown>(Object.entries(decision));
  return Object.entries(like).every(([name, value]) => known.get(name) === value);
}
