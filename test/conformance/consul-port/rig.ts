import { systemClock } from '../../../src/clock.js';
import type { Consul, WriteResult } from '../../../src/consul/consul.js';
import { createHttpConsul, type HttpConsulOptions } from '../../../src/consul/http/http-consul.js';
import type { ClaimRecord } from '../../../src/model/catalog.js';
import type { Access, IntentionEntry, NewSource, ServiceName } from '../../../src/model/intention.js';
import { Secret } from '../../../src/model/secret.js';
import { noMetrics, silentLogger } from '../../../src/observe.js';
import { send } from '../../support/send.js';

export const never = new AbortController().signal;

/** A running Consul with ACLs on and a default policy of deny. */
export interface ConsulUnderTest {
  /** `http://host:port` */
  readonly address: string;
  readonly managementToken: string;
  readonly datacenter: string;
  stop(): Promise<void>;
}

type RawEntry = Record<string, unknown> & { Sources: Record<string, unknown>[] };

/** A running Consul, the adapter to it, and what a person with curl does past the adapter. */
export interface ConsulRig {
  readonly server: ConsulUnderTest;
  readonly consul: Consul;
  connect(token: string | undefined, options?: Partial<HttpConsulOptions>): Consul;
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  /** A name that no other test has. */
  fresh(prefix: string): string;
  read(destination: string): Promise<IntentionEntry>;
  rawEntryOf(destination: string): Promise<RawEntry>;
  /** The index of the entry that it makes. */
  create(destination: string, ...sources: NewSource[]): Promise<number>;
  /** The record as the list has it. */
  claim(record: Omit<ClaimRecord, 'modifyIndex'>): Promise<ClaimRecord>;
  setProtocol(service: string, protocol: string): Promise<unknown>;
  register(service: Record<string, unknown>): Promise<unknown>;
  /** A token with these rules; its secret. */
  tokenWith(rules: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startConsulRig(start: () => Promise<ConsulUnderTest>): Promise<ConsulRig> {
  const server = await start();
  const clients: Consul[] = [];
  let unique = 0;
  const fresh: ConsulRig['fresh'] = (prefix) => `${prefix}-${++unique}`;

  const connect: ConsulRig['connect'] = (token, options = {}) => {
    const client = createHttpConsul({
      address: server.address,
      token: token === undefined ? undefined : new Secret(token),
      owner: 'payments',
      logger: silentLogger,
      metrics: noMetrics,
      clock: systemClock,
      ...options,
    });
    clients.push(client);
    return client;
  };
  const request: ConsulRig['request'] = async (method, path, body) => {
    const { ok, status, text } = await send(server.address + path, {
      method,
      headers: { 'X-Consul-Token': server.managementToken },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    if (!ok) throw new Error(`${method} ${path}: ${status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };

  const consul = connect(server.managementToken);
  const rig: ConsulRig = {
    server,
    consul,
    connect,
    request,
    fresh,
    async read(destination) {
      const entry = await consul.intentions.read(nameOf(destination), never);
      if (entry === undefined) throw new Error(`there is no entry ${destination}`);
      return entry;
    },
    async rawEntryOf(destination) {
      const value = await request('GET', `/v1/config/service-intentions/${encodeURIComponent(destination)}`);
      return value as RawEntry;
    },
    async create(destination, ...sources) {
      requireWritten(await consul.intentions.write(nameOf(destination), undefined, sources, 0, never));
      return (await rig.read(destination)).modifyIndex;
    },
    async claim(record) {
      const [result] = await consul.claims.write([{ do: 'create', record }], never);
      if (result?.kind !== 'written') throw new Error('the record was not made');
      const made = (await consul.claims.list(never)).find((each) => each.clientId === record.clientId);
      if (made === undefined) throw new Error('there is no record');
      return made;
    },
    setProtocol: (service, protocol) =>
      request('PUT', '/v1/config', { Kind: 'service-defaults', Name: service, Protocol: protocol }),
    register: (service) =>
      request('PUT', '/v1/catalog/register', {
        Node: 'machine-1',
        Address: '10.0.0.1',
        SkipNodeUpdate: true,
        Service: service,
      }),
    async tokenWith(rules) {
      const policy = fresh('policy');
      await request('PUT', '/v1/acl/policy', { Name: policy, Rules: rules });
      const token = (await request('PUT', '/v1/acl/token', { Policies: [{ Name: policy }] })) as {
        SecretID: string;
      };
      return token.SecretID;
    },
    async stop() {
      for (const client of clients) await client.close();
      await server.stop();
    },
  };
  return rig;
}

export const nameOf = (name: string): ServiceName => ({ partition: 'default', namespace: 'default', name });

export function newSource(name: string, access: Access = { kind: 'allow' }): NewSource {
  return { name, namespace: 'default', partition: 'default', description: 'scopemesh:payments', access };
}

export function requireWritten(result: WriteResult): void {
  if (result.kind === 'conflict') throw new Error('the write was a conflict');
}
