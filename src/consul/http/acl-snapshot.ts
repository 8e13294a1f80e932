import { mapBounded } from '../../map-bounded.js';
import type { AclSnapshot } from '../../model/acl.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { parseAuthMethod, parseBindingRule, parsePolicy, parseRole } from './acl-parse.js';
import { ACL_TABLES, type AclKind, listAcl, readAcl, requireNoPolicy, UNCLEAR } from './acl-table.js';
import type { IndexGuard } from './index-guard.js';
import type { Transport } from './transport.js';

export type IsOurs = (name: string, description: string) => boolean;

/** Concurrent single reads: only a part of the connections, so that a revocation always finds a free one. */
const WIDTH = 16;

/**
 * Four lists, then what they omit: the Rules of policies and the Config of methods. An object that disappears between the
 * list and the single read is not in the snapshot.
 */
export async function readSnapshot(
  transport: Transport,
  guard: IndexGuard,
  isOurs: IsOurs,
  signal: AbortSignal,
): Promise<AclSnapshot> {
  const kinds = ['acl-policy', 'acl-role', 'acl-auth-method', 'acl-binding-rule'] as const;
  let otherIdentities: AclSnapshot['otherIdentities'];
  const lists = await mapBounded(kinds, { width: kinds.length, signal }, async (kind, stop) => {
    const rows = await listAcl(transport, kind, guard, stop);
    const ours = ourRows(kind, rows, isOurs);
    if (kind === 'acl-role') otherIdentities = identitiesOf(rows, new Set(ours));
    return ours;
  });
  const [policies = [], roles = [], named = [], rules = []] = lists;
  const methods = named.filter(({ Type }) => Type === 'jwt');
  const others = named.filter(({ Type }) => Type !== 'jwt');
  const whole = async (kind: 'acl-policy' | 'acl-auth-method', rows: readonly Raw[], key: 'ID' | 'Name') =>
    mapBounded(rows, { width: WIDTH, signal }, async (row, stop) => {
      const id = new Reader('acl.read').text(row[key]);
      return { id, value: await readAcl(transport, kind, id, stop) };
    });
  const wholePolicies = await whole('acl-policy', policies, 'ID');
  const wholeMethods = await whole('acl-auth-method', methods, 'Name');
  const unclear = wholePolicies.filter(({ value }) => value === UNCLEAR).map(({ id }) => id);
  if (unclear.length > 0) await requireNoPolicy('ID', unclear, transport, guard, signal);
  return {
    policies: wholePolicies
      .filter(({ value }) => value !== undefined && value !== UNCLEAR)
      .map(({ value }) => parsePolicy(value, 'acl.read')),
    roles: roles.map((row) => parseRole(row, ACL_TABLES['acl-role'].operation)),
    authMethods: wholeMethods
      .filter(({ value }) => value !== undefined)
      .map(({ value }) => parseAuthMethod(value, 'acl.read')),
    bindingRules: rules.map((row) => parseBindingRule(row, ACL_TABLES['acl-binding-rule'].operation)),
    ...(others.length === 0
      ? {}
      : { otherMethods: others.map(({ Name }) => new Reader('acl.auth-methods').text(Name)) }),
    ...(otherIdentities === undefined ? {} : { otherIdentities }),
  };
}

/** The names of the roles besides ours, by service; undefined if there are none. */
function identitiesOf(rows: readonly Raw[], ours: ReadonlySet<Raw>): AclSnapshot['otherIdentities'] {
  const reader = new Reader(ACL_TABLES['acl-role'].operation);
  const found = new Map<string, string[]>();
  for (const row of rows)
    for (const identity of ours.has(row) ? [] : reader.records(row.ServiceIdentities)) {
      const serviceName = reader.text(identity.ServiceName);
      found.set(serviceName, [...(found.get(serviceName) ?? []), reader.text(row.Name)]);
    }
  return found.size === 0 ? undefined : found;
}

function ourRows(kind: AclKind, rows: readonly Raw[], isOurs: IsOurs): readonly Raw[] {
  const { operation } = ACL_TABLES[kind];
  const reader = new Reader(operation);
  const seen = new Set<string>();
  return rows.filter((row) => {
    // A binding rule has no name, so the name of its method counts.
    const name = reader.text(kind === 'acl-binding-rule' ? row.AuthMethod : row.Name);
    const key = kind === 'acl-auth-method' ? name.toLowerCase() : reader.text(row.ID);
    if (key === '' || name === '') throw incomplete(operation, 'the list has an empty name or id');
    if (seen.has(key)) throw incomplete(operation, 'the list has an object twice');
    seen.add(key);
    if (kind === 'acl-auth-method') reader.text(row.Type);
    return isOurs(name, reader.optionalText(row.Description));
  });
}
