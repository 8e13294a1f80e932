import { messageOf } from '../../errors.js';
import { fieldOf } from '../../model/field-of.js';
import type { ExistingJwtProvider, JwtProviderEntry } from '../../model/jwt-provider.js';
import type { Logger } from '../../observe.js';
import type { JwtProviders } from '../consul.js';
import { isSameContent } from '../content.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { type Listed, parseJson, parseVerdict, readListed } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { OMITTED } from './json-elements.js';
import { toPathName, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';
import type { Found, UnreadableEntries } from './unreadable-entries.js';

const KIND = 'jwt-provider';
const CONFLICT = { kind: 'conflict' } as const;

export function createJwtProviders(
  transport: Transport,
  guard: IndexGuard,
  logger: Logger,
  unreadable: UnreadableEntries,
): JwtProviders {
  // These entries exist only in the default namespace of a partition.
  const place = toTenancyQuery({ partition: transport.tenancy.partition });

  const list = async (signal: AbortSignal): Promise<readonly ExistingJwtProvider[]> => {
    const operation = 'jwt-providers.list';
    const query = { ...place, consistent: '' };
    const { index, list: listed } = await readListed(
      transport,
      { operation, path: `/v1/config/${KIND}`, query },
      signal,
    );
    guard.check(operation, index);
    const found: Found[] = [];
    const providers = listed.map((each) => parseListed(each, operation, found));
    unreadable.put(KIND, operation, found);
    return providers;
  };
  const find = async (name: string, signal: AbortSignal) =>
    (await list(signal)).find((each) => each.name.toLowerCase() === name.toLowerCase());

  return {
    list,

    async write(entry, expectedIndex, signal) {
      const operation = 'jwt-providers.write';
      toPathName(entry.name);
      const query = { ...place, cas: String(expectedIndex) };
      const body = JSON.stringify(toRawProvider(entry));
      const request = { operation, method: 'PUT', path: '/v1/config', query, body } as const;
      if (!parseVerdict(await transport.send(request, signal), operation)) return CONFLICT;
      const after = await find(entry.name, signal).catch((error: unknown) => {
        logger.warn({ provider: entry.name, error: messageOf(error) }, 'consul write not read back');
        return undefined;
      });
      // Consul also answers `true` for equal content, and for a write that was replaced since.
      if (after === undefined) return { kind: 'written' };
      if (isSameProvider(after.content, entry)) return { kind: 'written', modifyIndex: after.modifyIndex };
      return after.modifyIndex > expectedIndex ? { kind: 'written' } : CONFLICT;
    },

    async delete(name, expectedIndex, signal) {
      const operation = 'jwt-providers.delete';
      // `DELETE ?cas` answers true for a missing entry.
      if ((await find(name, signal))?.modifyIndex !== expectedIndex) return CONFLICT;
      const path = `/v1/config/${KIND}/${toPathName(name)}`;
      const query = { ...place, cas: String(expectedIndex) };
      const answer = await transport.send({ operation, method: 'DELETE', path, query }, signal);
      return parseVerdict(answer, operation) ? { kind: 'written' } : CONFLICT;
    },

    agentVersions: (signal) => readAgentVersions(transport, signal),
  };
}

/**
 * The entry as in https://developer.hashicorp.com/consul/docs/reference/config-entry/jwt-provider. The token is taken only
 * from the Authorization header (RFC 6750, section 2.1; a query appears in logs) and is forwarded to the destination. The
 * listener of a proxy does not wait for the keys: without them no token is valid. There is no CacheDuration: Consul takes its
 * nanoseconds for seconds (agent/xds/jwt_authn.go), so Envoy would refuse the listener and keep the old rules.
 */
function toRawProvider(entry: JwtProviderEntry): Raw {
  return {
    Kind: KIND,
    Name: entry.name,
    Issuer: entry.issuer,
    Audiences: entry.audiences,
    JSONWebKeySet: { Remote: { URI: entry.jwksUri, FetchAsynchronously: true, ...toTrust(entry.caFile) } },
    Locations: [{ Header: { Name: 'Authorization', ValuePrefix: 'Bearer ', Forward: true } }],
    ...(entry.forwardHeader === undefined ? {} : { Forwarding: { HeaderName: entry.forwardHeader } }),
    // Consul's default, which it adds to an entry without the field.
    ClockSkewSeconds: 30,
    Meta: entry.meta,
  };
}

/** Without a CA a proxy accepts any certificate of the key server. */
function toTrust(caFile: string | undefined): Raw {
  if (caFile === undefined) return {};
  return { JWKSCluster: { TLSCertificates: { TrustedCA: { Filename: caFile } } } };
}

/** Of an entry that cannot be read, name, Meta and index count: then its content is another than scopemesh's. */
function parseListed({ raw, size }: Listed, operation: Operation, found: Found[]): ExistingJwtProvider {
  try {
    return parseProvider(raw, operation);
  } catch (error) {
    const reader = new Reader(operation);
    const name = reader.name(raw.Name);
    const meta = raw.Meta === OMITTED ? {} : reader.textMap(raw.Meta);
    found.push({ name, size, why: messageOf(error) });
    return { name, meta, content: 'other', modifyIndex: reader.index(raw.ModifyIndex) };
  }
}

function parseProvider(raw: Raw, operation: Operation): ExistingJwtProvider {
  const reader = new Reader(operation);
  if (raw.Kind !== KIND) throw incomplete(operation, 'an entry of another kind');
  const name = reader.text(raw.Name);
  const meta = reader.textMap(raw.Meta);
  const remote = fieldOf(raw.JSONWebKeySet, 'Remote');
  const trusted = fieldOf(fieldOf(fieldOf(remote, 'JWKSCluster'), 'TLSCertificates'), 'TrustedCA');
  const caFile = reader.optionalText(fieldOf(trusted, 'Filename'));
  const forwardHeader = reader.optionalText(fieldOf(raw.Forwarding, 'HeaderName'));
  const entry: JwtProviderEntry = {
    name,
    issuer: reader.optionalText(raw.Issuer),
    audiences: reader.texts(raw.Audiences),
    jwksUri: reader.optionalText(fieldOf(remote, 'URI')),
    ...(caFile === '' ? {} : { caFile }),
    ...(forwardHeader === '' ? {} : { forwardHeader }),
    meta,
  };
  const isOurForm = isSameContent(raw, toRawProvider(entry));
  const isCached = (fieldOf(remote, 'CacheDuration') ?? 0) !== 0;
  return {
    name,
    meta,
    content: isOurForm ? entry : 'other',
    ...(isCached ? { hasCacheDuration: true } : {}),
    modifyIndex: reader.index(raw.ModifyIndex),
  };
}

function isSameProvider(a: ExistingJwtProvider['content'], b: JwtProviderEntry): boolean {
  return a !== 'other' && isSameContent(toRawProvider(a), toRawProvider(b));
}

/** The serf state of a member that left on purpose. */
const LEFT = 3;

/**
 * The versions of all agents of the datacenter, each once, including unreachable agents, which can return at any moment with
 * their proxies. From `/v1/agent/members`, which needs node:read on each node.
 */
async function readAgentVersions(transport: Transport, signal: AbortSignal): Promise<readonly string[]> {
  const operation = 'agent.members';
  const answer = await transport.send({ operation, method: 'GET', path: '/v1/agent/members' }, signal);
  if (answer.headers['x-consul-results-filtered-by-acls'] === 'true')
    throw incomplete(
      operation,
      'the ACL token cannot read every node, so the list of agents is incomplete; grant it node:read on all nodes',
    );
  const reader = new Reader(operation);
  const members = reader.records(parseJson(answer.body, operation));
  // The answering agent is a member itself. Without a token Consul omits members silently.
  if (members.length === 0) throw incomplete(operation, 'the list of agents is empty');
  const staying = members.filter(({ Status }) => Status !== LEFT);
  // `1.16.1:0e046bbb`, with `+ent` before the colon.
  const versions = staying.map(
    ({ Tags }) => reader.optionalText(reader.record(Tags).build).split(':')[0] ?? '',
  );
  return [...new Set(versions)].toSorted();
}
