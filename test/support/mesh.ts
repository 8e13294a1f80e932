import { createEmbeddedConsul, type EmbeddedConsul } from '../../src/embedded/consul/embedded-consul.js';
import { toPathText } from '../../src/model/plain-path.js';
import { send } from './send.js';

export interface RawEntry {
  readonly Kind: string;
  readonly Name: string;
  readonly Sources: readonly (Readonly<Record<string, unknown>> & { readonly Name: string })[];
  readonly ModifyIndex: number;
}

/** An embedded Consul, and what a person with curl does to it, past every adapter of scopemesh. */
export interface Mesh {
  readonly consul: EmbeddedConsul;
  request(method: string, path: string, body?: unknown): Promise<unknown>;
  /** `client` goes to meta; several instances of one service differ in `id`. */
  register(
    service: string,
    options?: { client?: string; id?: string; tags?: readonly string[] },
  ): Promise<void>;
  deregister(id: string): Promise<void>;
  speaks(service: string, protocol: string): Promise<void>;
  entry(destination: string): Promise<RawEntry | undefined>;
  /** `web: GET /v1/orders*` and the like, by source; undefined where there is no entry. */
  access(destination: string): Promise<Readonly<Record<string, string>> | undefined>;
  write(destination: string, sources: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
  remove(destination: string): Promise<void>;
  tokenWith(rules: string): Promise<string>;
}

export async function startMesh(version?: string): Promise<Mesh> {
  const consul = await createEmbeddedConsul({
    defaultPolicy: 'deny',
    ...(version === undefined ? {} : { version }),
  });
  let policies = 0;
  const self: Mesh = {
    consul,
    async request(method, path, body) {
      const { status, ok, text } = await send(consul.address + path, {
        method,
        headers: { 'X-Consul-Token': consul.managementToken },
        body: body === undefined ? undefined : JSON.stringify(body),
      });
      if (status === 404) return undefined;
      if (!ok) throw new Error(`${method} ${path}: ${status} ${text}`);
      return text === '' ? undefined : JSON.parse(text);
    },
    async register(service, { client, id = service, tags = [] } = {}) {
      await self.request('PUT', '/v1/catalog/register', {
        Node: 'machine-1',
        Address: '10.0.0.1',
        SkipNodeUpdate: true,
        Service: {
          ID: id,
          Service: service,
          Port: 8080,
          Tags: tags,
          Meta: client === undefined ? {} : { 'oauth-client-id': client },
        },
      });
    },
    async deregister(id) {
      await self.request('PUT', '/v1/catalog/deregister', { Node: 'machine-1', ServiceID: id });
    },
    async speaks(service, protocol) {
      await self.request('PUT', '/v1/config', {
        Kind: 'service-defaults',
        Name: service,
        Protocol: protocol,
      });
    },
    async entry(destination) {
      const value = await self.request(
        'GET',
        `/v1/config/service-intentions/${encodeURIComponent(destination)}`,
      );
      return value as RawEntry | undefined;
    },
    async access(destination) {
      const entry = await self.entry(destination);
      return entry && Object.fromEntries(entry.Sources.map((source) => [source.Name, toText(source)]));
    },
    async write(destination, sources) {
      await self.request('PUT', '/v1/config', {
        Kind: 'service-intentions',
        Name: destination,
        Sources: sources,
      });
    },
    async remove(destination) {
      await self.request('DELETE', `/v1/config/service-intentions/${destination}`);
    },
    async tokenWith(rules) {
      const name = `policy-${++policies}`;
      await self.request('PUT', '/v1/acl/policy', { Name: name, Rules: rules });
      const token = (await self.request('PUT', '/v1/acl/token', { Policies: [{ Name: name }] })) as {
        SecretID: string;
      };
      return token.SecretID;
    },
  };
  await self.request('PUT', '/v1/catalog/register', { Node: 'machine-1', Address: '10.0.0.1' });
  return self;
}

interface RawPermission {
  readonly Action: string;
  readonly HTTP: {
    readonly Methods?: readonly string[];
    readonly PathExact?: string;
    readonly PathPrefix?: string;
    readonly PathRegex?: string;
  };
  readonly JWT?: { readonly Providers: readonly RawRequirement[] };
}

interface RawRequirement {
  readonly Name: string;
  readonly VerifyClaims?: readonly { readonly Path: readonly string[]; readonly Value: string }[];
}

function requirementText({ Name, VerifyClaims = [] }: RawRequirement): string {
  return [Name, ...VerifyClaims.map(({ Path, Value }) => `${Path.join('.')}=${Value}`)].join(' ');
}

function toText(source: Readonly<Record<string, unknown>>): string {
  const permissions = source.Permissions as readonly RawPermission[] | undefined;
  if (permissions === undefined || permissions === null || permissions.length === 0)
    return String(source.Action);
  return permissions
    .map(({ HTTP, JWT }) => {
      const { PathExact, PathPrefix, PathRegex } = HTTP;
      const below = PathRegex === undefined ? '' : toPathText(PathRegex);
      const path = PathExact ?? (PathPrefix === undefined ? below : `${PathPrefix}*`);
      const user = JWT === undefined ? '' : ` user ${JWT.Providers.map(requirementText).join(' or ')}`;
      return `${(HTTP.Methods ?? ['any']).join('+')} ${path}${user}`;
    })
    .toSorted()
    .join(', ');
}
