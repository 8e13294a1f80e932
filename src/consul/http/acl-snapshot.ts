import { mapBounded } from '../../limiter.js';
import type { AclSnapshot } from '../../model/acl.js';
import { incomplete, type Raw, Reader } from '../reader.js';
import { parseAuthMethod, parseBindingRule, parsePolicy, parseRole, parseStored } from './acl-parse.js';
import { ACL_TABLES, type AclKind, listAcl, readAcl, requireNoPolicy, UNCLEAR } from './acl-table.js';
import type { Listed } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { OMITTED } from './json-elements.js';
import type { Transport } from './transport.js';
import type { Found, UnreadableEntries } from './unreadable-entries.js';

type IsOurs = (name: string, description: string) => boolean;

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
  unreadable: UnreadableEntries,
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
  const methods = named.filter(({ raw }) => raw.Type === 'jwt');
  const others = named.filter(({ raw }) => raw.Type !== 'jwt');
  const whole = async (kind: 'acl-policy' | 'acl-auth-method', rows: readonly Listed[], key: 'ID' | 'Name') =>
    mapBounded(rows, { width: WIDTH, signal }, async ({ raw }, stop) => {
      const id = new Reader('acl.read').text(raw[key]);
      return { id, value: await readAcl(transport, kind, id, stop) };
    });
  const wholePolicies = await whole('acl-policy', policies, 'ID');
  const wholeMethods = await whole('acl-auth-method', methods, 'Name');
  const unclear = wholePolicies.filter(({ value }) => value === UNCLEAR).map(({ id }) => id);
  if (unclear.length > 0) await requireNoPolicy('ID', unclear, transport, guard, signal);
  const read = {
    'acl-policy': wholePolicies.flatMap(toFound),
    'acl-role': roles,
    'acl-auth-method': wholeMethods.flatMap(toFound),
    'acl-binding-rule': rules,
  };
  for (const kind of kinds)
    unreadable.put(
      kind,
      kind,
      read[kind].flatMap((each) => foundIn(each)),
    );
  return {
    policies: read['acl-policy'].map((each) => parseStored(parsePolicy, each, 'acl.read')),
    roles: roles.map((each) => parseStored(parseRole, each, ACL_TABLES['acl-role'].operation)),
    authMethods: read['acl-auth-method'].map((each) => parseStored(parseAuthMethod, each, 'acl.read')),
    bindingRules: rules.map((each) =>
      parseStored(parseBindingRule, each, ACL_TABLES['acl-binding-rule'].operation),
    ),
    ...(others.length === 0
      ? {}
      : { otherMethods: others.map(({ raw }) => new Reader('acl.auth-methods').text(raw.Name)) }),
    ...(otherIdentities === undefined ? {} : { otherIdentities }),
  };
}

function toFound({ value }: { readonly value: Awaited<ReturnType<typeof readAcl>> }): readonly Listed[] {
  return value === undefined || value === UNCLEAR ? [] : [value];
}

/** Binding rules have no name. */
function foundIn({ raw, size }: Listed): readonly Found[] {
  const name = typeof raw.Name === 'string' ? raw.Name : String(raw.ID);
  return size === undefined ? [] : [{ name, size }];
}

/** The names of the roles besides ours, by service; undefined if there are none. */
function identitiesOf(rows: readonly Listed[], ours: ReadonlySet<Listed>): AclSnapshot['otherIdentities'] {
  const reader = new Reader(ACL_TABLES['acl-role'].operation);
  const found = new Map<string, string[]>();
  for (const row of rows)
    for (const identity of ours.has(row) ? [] : identitiesIn(row, reader)) {
      const serviceName = reader.text(identity.ServiceName);
      found.set(serviceName, [...(found.get(serviceName) ?? []), reader.text(row.raw.Name)]);
    }
  return found.size === 0 ? undefined : found;
}

/** Of a role that is too large, nothing is known of them. */
function identitiesIn({ raw }: Listed, reader: Reader): readonly Raw[] {
  return raw.ServiceIdentities === OMITTED ? [] : reader.records(raw.ServiceIdentities);
}

function ourRows(kind: AclKind, rows: readonly Listed[], isOurs: IsOurs): readonly Listed[] {
  const { operation } = ACL_TABLES[kind];
  const reader = new Reader(operation);
  const seen = new Set<string>();
  return rows.filter(({ raw: row }) => {
    // A binding rule has no name, so the name of its method counts.
    const name = reader.text(kind === 'acl-binding-rule' ? row.AuthMethod : row.Name);
    const key = kind === 'acl-auth-method' ? name.toLowerCase() : reader.text(row.ID);
    if (key === '' || name === '') throw incomplete(operation, 'the list has an empty name or id');
    if (seen.has(key)) throw incomplete(operation, 'the list has an object twice');
    seen.add(key);
    if (kind === 'acl-auth-method') reader.text(row.Type);
    return isOurs(name, row.Description === OMITTED ? '' : reader.optionalText(row.Description));
  });
}
