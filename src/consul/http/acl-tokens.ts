import { setImmediate } from 'node:timers/promises';
import type { Clock } from '../../clock.js';
import { SyncError } from '../../errors.js';
import { mapBounded } from '../../limiter.js';
import { type AclToken, MANAGEMENT_POLICY_ID } from '../../model/acl.js';
import { TokenBucket } from '../../model/token-bucket.js';
import type { TokenFilter } from '../acl.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { linkNames, sortedOnce } from './acl-parse.js';
import { readAclAt, requireGone, UNCLEAR } from './acl-table.js';
import { readListed } from './answer.js';
import { OMITTED } from './json-elements.js';
import { type Query, toTenancyQuery } from './place.js';
import type { Transport } from './transport.js';

const WIDTH = 16;
const SLICE = 1_000;
const MAX_BYTES = 256 * 1024;
const NAME = /^[A-Za-z0-9_-]{1,256}$/;
/** Go's zero time: no expiry. */
const NO_TIME = '0001-01-01T00:00:00Z';

/** Lists tokens and checks that each matches the filter, because an ignored filter would return everybody's tokens. */
export async function listTokens(
  transport: Transport,
  by: TokenFilter,
  signal: AbortSignal,
): Promise<readonly AclToken[]> {
  const filter = await toFilter(transport, by, signal);
  if (filter === undefined) return [];
  const operation = 'tokens.list';
  const query = { ...toTenancyQuery(transport.tenancy), ...filter.query, consistent: '' };
  const request = { operation, path: '/v1/acl/tokens', query } as const;
  const { list } = await readListed(transport, request, signal, { maxBytes: MAX_BYTES, erases: true });
  const rows = list.map(({ raw }) => raw);
  if (!rows.every(filter.isMeant))
    throw incomplete(operation, 'the list contains tokens that do not match the filter');
  const tokens: AclToken[] = [];
  for (const [at, row] of rows.entries()) {
    // Lets other work run between the slices of a long list.
    if (at % SLICE === SLICE - 1) await setImmediate();
    tokens.push(parseToken(row));
  }
  return tokens;
}

/**
 * Deletes all tokens, or throws: at once if Consul is unavailable or denies it, and after the others if it refuses one (its
 * own token, the anonymous token).
 */
export async function deleteTokens(
  transport: Transport,
  clock: Clock,
  accessorIds: readonly string[],
  signal: AbortSignal,
  perSecond: number | undefined,
): Promise<number> {
  const operation = 'tokens.delete';
  const pace =
    perSecond === undefined ? undefined : new TokenBucket({ burst: 1, everyMs: 1_000 / perSecond });
  const refused: SyncError[] = [];
  const ids = [...new Set(accessorIds)];
  await mapBounded(ids, { width: WIDTH, signal }, async (id, stop) => {
    await pace?.turn(clock, stop);
    const path = `/v1/acl/token/${encodeURIComponent(id)}`;
    const request = { operation, method: 'DELETE', path, query: toTenancyQuery(transport.tenancy) } as const;
    try {
      const answer = await transport.send(request, stop, [200, 404]);
      if (answer.status === 404) await requireGone(answer, operation, transport, stop);
    } catch (error) {
      if (!(error instanceof SyncError) || error.code !== 'ERR_CONSUL_REJECTED') throw error;
      refused.push(error);
    }
  });
  if (refused[0] !== undefined) throw refused[0];
  return ids.length;
}

interface Filter {
  readonly query: Query;
  readonly isMeant: (row: Raw) => boolean;
}

/** Undefined if the role does not exist, so that no token has it. */
async function toFilter(
  transport: Transport,
  by: TokenFilter,
  signal: AbortSignal,
): Promise<Filter | undefined> {
  if (by === 'all') return { query: {}, isMeant: () => true };
  const name = 'role' in by ? by.role : by.authMethod;
  if (!NAME.test(name)) {
    const message = `Consul tokens.list: ${JSON.stringify(name.slice(0, 100))} is not a valid name of a role or auth method`;
    throw new SyncError('ERR_CONSUL_REJECTED', message, { retriable: false });
  }
  if ('authMethod' in by) {
    const isMeant: Filter['isMeant'] = ({ AuthMethod: method }) =>
      typeof method === 'string' && method.toLowerCase() === name.toLowerCase();
    return { query: { authmethod: name }, isMeant };
  }
  const path = `/v1/acl/role/name/${encodeURIComponent(name)}`;
  const found = await readAclAt(transport, 'acl-role', path, signal);
  if (found === undefined) return undefined;
  const byName = new Reader('acl.read');
  const id = byName.name(found === UNCLEAR ? undefined : found.raw.ID);
  const reader = new Reader('tokens.list');
  const isMeant: Filter['isMeant'] = ({ Roles: roles }) =>
    reader.list(roles).some((role) => reader.record(role).ID === id);
  return { query: { role: id }, isMeant };
}

/** Copies field by field, so that the SecretID, which Consul sends to tokens with acl:write, is dropped. */
function parseToken(raw: Raw): AclToken {
  const operation = 'tokens.list';
  const reader = new Reader(operation);
  const instant = (value: unknown) => {
    const text = reader.text(value);
    if (Number.isNaN(Date.parse(text))) throw incomplete(operation, 'a time is invalid');
    return text;
  };
  const authMethod = reader.optionalText(raw.AuthMethod);
  const expiresAt = reader.optionalText(raw.ExpirationTime);
  return {
    accessorId: reader.name(raw.AccessorID),
    // Whoever logs in may give the token a Meta of any length, which Consul puts there.
    description: raw.Description === OMITTED ? '' : reader.optionalText(raw.Description),
    policies: linkNames(raw.Policies, reader),
    isManagement: reader.records(raw.Policies).some((link) => link.ID === MANAGEMENT_POLICY_ID),
    roles: linkNames(raw.Roles, reader),
    serviceIdentities: sortedOnce(
      reader.records(raw.ServiceIdentities).map((each) => reader.name(each.ServiceName)),
    ),
    nodeIdentities: sortedOnce(
      reader
        .records(raw.NodeIdentities)
        .map((each) => `${reader.name(each.Datacenter)}/${reader.name(each.NodeName)}`),
    ),
    templatedPolicies: sortedOnce(
      reader.records(raw.TemplatedPolicies).map((each) => reader.name(each.TemplateName)),
    ),
    ...(authMethod === '' ? {} : { authMethod }),
    isLocal: raw.Local === true,
    createdAt: instant(raw.CreateTime),
    ...(expiresAt === '' || expiresAt === NO_TIME ? {} : { expiresAt: instant(expiresAt) }),
  };
}
