import { SyncError } from '../../errors.js';
import type { AclObject, Stored } from '../../model/acl.js';
import { Reader } from '../reader.js';
import { isSameAcl, toAclBody } from './acl-body.js';
import { parseAclObject } from './acl-parse.js';
import { ACL_TABLES, type AclKind, listRulesOf, readAcl, requireGone, UNCLEAR } from './acl-table.js';
import { parseJson, parseVerdict } from './answer.js';
import { toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { Transport } from './transport.js';

type StoredObject = Stored<AclObject['object']>;

interface AclWriting {
  readonly transport: Transport;
  /** For writes that may make Consul fetch an identity provider's keys, for which it waits without a limit. */
  readonly keyFetchTimeoutMs: number;
}

const ID = /^[A-Za-z0-9_-]{1,128}$/;

export async function writeAcl(
  writing: AclWriting,
  id: string | undefined,
  object: AclObject,
  signal: AbortSignal,
  known: { readonly isAbsent: boolean } = { isAbsent: false },
): Promise<StoredObject> {
  requireSafe(id, object);
  if (id === undefined && !known.isAbsent) {
    const existing = await existingInstead(writing.transport, object, signal);
    if (existing !== undefined) return existing;
  }
  const put = await send(writing, id, object, signal);
  // The two indexes of a new object are equal.
  if (id === undefined && put.createIndex !== put.stored.modifyIndex)
    throw conflict(
      'another writer created an object with this name at the same time, and it has been overwritten',
    );
  requireSame(object, put, 'Consul stored different content than was written');
  return put.stored;
}

/** Reads the object first, because Consul before 1.15 answers true to a DELETE of a missing object. */
export async function deleteAcl(
  transport: Transport,
  kind: AclKind,
  id: string,
  signal: AbortSignal,
  isOurs: (description: string) => boolean = () => true,
): Promise<boolean> {
  const operation = 'acl.delete';
  if (!ID.test(id)) throw rejected(`${JSON.stringify(id.slice(0, 100))} is not a valid Consul ID`);
  const before = await readAcl(transport, kind, id, signal);
  const isThere = before !== undefined && before !== UNCLEAR;
  if (isThere && !isOurs(new Reader('acl.read').optionalText(before.raw.Description)))
    throw conflict('the object lost its mark after it was read, so it was not deleted', operation);
  const path = `${ACL_TABLES[kind].one}/${encodeURIComponent(id)}`;
  const request = { operation, method: 'DELETE', path, query: toTenancyQuery(transport.tenancy) } as const;
  const answer = await transport.send(request, signal, [200, 404]);
  if (answer.status === 404) {
    await requireGone(answer, operation, transport, signal);
    return false;
  }
  if (!parseVerdict(answer, operation))
    throw new SyncError('ERR_CONSUL_UNREACHABLE', `Consul ${operation}: answered false`, { retriable: true });
  return isThere;
}

/** Refuses content that Consul would accept and scopemesh must never write. */
function requireSafe(id: string | undefined, object: AclObject): void {
  if (id !== undefined && !ID.test(id))
    throw rejected(`${JSON.stringify(id.slice(0, 100))} is not a valid Consul ID`);
  if (object.kind === 'acl-auth-method') {
    const { name, maxTokenTtlSeconds: ttl } = object.object;
    if (!(ttl >= 60 && ttl <= 86_400))
      throw rejected(
        'MaxTokenTTL must be from one minute to 24 hours; without a limit tokens would never expire',
      );
    if (id !== undefined && id.toLowerCase() !== name.toLowerCase())
      throw rejected('an auth method cannot be renamed; delete it and create another');
  }
  if (object.kind === 'acl-binding-rule') {
    const { selector, bindName } = object.object;
    if (selector.trim() === '') throw rejected('a binding rule without a selector admits everyone');
    if (!/^[A-Za-z0-9_-]{1,256}$/.test(bindName))
      throw rejected('BindName of a binding rule must be one name of letters, digits, - and _');
  }
}

/**
 * Checks before a creation: Consul silently overwrites an auth method with the same name, and accepts a second equal binding
 * rule. It refuses duplicate policies and roles itself.
 */
async function existingInstead(
  transport: Transport,
  object: AclObject,
  signal: AbortSignal,
): Promise<StoredObject | undefined> {
  if (object.kind === 'acl-auth-method') {
    // Consul ignores the case of the name.
    const existing = await readAcl(transport, object.kind, object.object.name, signal);
    if (existing === undefined || existing === UNCLEAR) return undefined;
    const name = existing.raw.Name;
    throw rejected(
      `an auth method with this name already exists as ${JSON.stringify(name)} and would be overwritten; plan again, or remove the existing one`,
    );
  }
  if (object.kind !== 'acl-binding-rule') return undefined;
  const rules = await listRulesOf(transport, object.object.authMethod, signal);
  return rules.find(
    (rule) => !rule.isAltered && isSameAcl({ kind: object.kind, object: rule.object }, object),
  );
}

async function send(
  { transport, keyFetchTimeoutMs }: AclWriting,
  id: string | undefined,
  object: AclObject,
  signal: AbortSignal,
) {
  const operation = 'acl.write';
  const { one } = ACL_TABLES[object.kind];
  // An auth method is addressed by exactly the name in the body.
  const key = object.kind === 'acl-auth-method' && id !== undefined ? object.object.name : id;
  const fetchesKeys = object.kind === 'acl-auth-method' || object.kind === 'acl-binding-rule';
  const request = {
    operation,
    method: 'PUT',
    path: key === undefined ? one : `${one}/${encodeURIComponent(key)}`,
    query: toTenancyQuery(transport.tenancy),
    body: JSON.stringify(toAclBody(object)),
    ...(fetchesKeys ? { timeoutMs: keyFetchTimeoutMs } : {}),
  } as const;
  const answer = await transport.send(request, signal).catch((error: unknown) => {
    if (!fetchesKeys || !(error instanceof SyncError) || error.code !== 'ERR_TIMEOUT') throw error;
    const message = `${error.message}: Consul fetches the identity provider's keys for this write; check that Consul's servers can reach the JWKS or discovery URL. Consul may still complete the write later`;
    throw new SyncError('ERR_TIMEOUT', message, { retriable: true, cause: error });
  });
  const value = parseJson(answer.body, operation);
  const reader = new Reader(operation);
  return {
    ...parseAclObject(object.kind, value, operation),
    createIndex: reader.index(reader.record(value).CreateIndex),
  };
}

function requireSame(
  written: AclObject,
  { object, stored }: { readonly object: AclObject; readonly stored: StoredObject },
  why: string,
): void {
  if (stored.isAltered || !isSameAcl(written, object)) throw conflict(why);
}

function conflict(why: string, operation: Operation = 'acl.write'): SyncError {
  return new SyncError('ERR_CONSUL_CONFLICT', `Consul ${operation}: ${why}; plan again`, { retriable: true });
}

function rejected(why: string): SyncError {
  return new SyncError('ERR_CONSUL_REJECTED', `Consul acl.write: ${why}`, { retriable: false });
}
