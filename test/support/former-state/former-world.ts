import { stringify } from 'yaml';
import { type RecordingProxy, startRecordingProxy } from '../../e2e/recording-proxy.js';
import { type Scopemesh, startScopemesh } from '../../e2e/scopemesh.js';
import { type ConsulHandle, startConsul } from '../../stack/consul.js';
import { freePort } from '../../stack/ports.js';
import { type RedisHandle, startRedis } from '../../stack/redis.js';
import { eventsOnly, type Idp, startIdp } from '../idp.js';

export type StoreKind = 'embedded' | 'bullmq';

/** The servers and the configuration that the former release ran with, and that the present one goes on with. */
export interface FormerWorld {
  readonly consul: ConsulHandle;
  readonly way: RecordingProxy;
  readonly idp: Idp;
  readonly redis: RedisHandle | undefined;
  /** Starts a daemon with a state of its own, unless `state` names a directory. */
  start(program: string, decisions: object, state?: string): Promise<Scopemesh>;
  stop(): Promise<void>;
}

export const CLIENTS = 10;
export const serviceAt = (at: number) => `svc-${at}`;
export const clientAt = (at: number) => `${serviceAt(at)}-app`;

export async function startFormerWorld(kind: StoreKind): Promise<FormerWorld> {
  const [consul, idp] = await Promise.all([startConsul(), startIdp({ single: true, now: Date.now })]);
  const redis = kind === 'bullmq' ? await startRedis() : undefined;
  const way = await startRecordingProxy(consul.httpAddress);
  const daemons: Scopemesh[] = [];
  const Config = { protocol: 'http' };
  await consul.request('PUT', '/v1/config', { Kind: 'proxy-defaults', Name: 'global', Config });
  for (const Name of ['d-0', 'd-1', 'vault'])
    await consul.request('PUT', '/v1/agent/service/register', { Name, Port: 1 });
  for (let at = 0; at < CLIENTS; at++) {
    const Meta = { 'oauth-client-id': clientAt(at) };
    await consul.request('PUT', '/v1/agent/service/register', { Name: serviceAt(at), Port: 1, Meta });
    put(idp, at, [`d-${at % 2}:read`]);
  }
  put(idp, 3, ['d-1:read', 'vault:read']);
  return {
    consul,
    way,
    idp,
    redis,
    async start(program, decisions, state) {
      const listen = `127.0.0.1:${await freePort()}`;
      const daemon = await startScopemesh({
        listen,
        program,
        configuration: (own) =>
          stringify({
            owner: 'demo',
            mode: 'enforce',
            consul: { address: way.address, token: consul.managementToken },
            providers: [eventsOnly(idp)],
            scopes: { '{service}:read': { to: '{service}', methods: ['GET'], path: '/' } },
            guards: { protected: ['vault'] },
            queue: redis === undefined ? { kind } : { kind, url: redis.url },
            decisions,
            http: { listen },
            state: state === undefined ? own : { directory: state },
          }),
      });
      daemons.push(daemon);
      return daemon;
    },
    async stop() {
      for (const each of daemons) await each.dispose();
      await Promise.all([way.stop(), idp.close(), redis?.stop()]);
      await consul.stop();
    },
  };
}

/** What the client has from now on. */
export function put(idp: Idp, at: number, scopes: readonly string[]): void {
  idp.put(clientAt(at), ...scopes);
  idp.change(clientAt(at), { attributes: { 'consul-services': serviceAt(at) } });
}

/** Sends a signed event; throws unless it is taken. */
export async function tell({ idp }: FormerWorld, daemon: Scopemesh, type: string, at: number): Promise<void> {
  const event = idp.sign({ type, data: { clientId: clientAt(at) } });
  const { status } = await fetch(`${daemon.address}/events/main`, { method: 'POST', ...event });
  if (status !== 202) throw new Error(`the event was answered ${status}`);
}
