import type { AclObject } from '../../model/acl.js';
import { incomplete, parseJson, readComplete } from './answer.js';
import type { IndexGuard } from './index-guard.js';
import { isRecord } from './json.js';
import { type Tenancy, toTenancyQuery } from './place.js';
import type { Operation } from './request.js';
import type { ConsulAnswer, Transport } from './transport.js';

export type AclKind = AclObject['kind'];

/** Where the objects of a kind are: all at `list`, each at `one/<id>`. */
export const ACL_TABLES = {
  'acl-policy': { operation: 'acl.policies', list: '/v1/acl/policies', one: '/v1/acl/policy' },
  'acl-role': { operation: 'acl.roles', list: '/v1/acl/roles', one: '/v1/acl/role' },
  'acl-auth-method': {
    operation: 'acl.auth-methods',
    list: '/v1/acl/auth-methods',
    one: '/v1/acl/auth-method',
  },
  'acl-binding-rule': {
    operation: 'acl.binding-rules',
    list: '/v1/acl/binding-rules',
    one: '/v1/acl/binding-rule',
  },
} as const satisfies Record<AclKind, { operation: Operation; list: string; one: string }>;

/** A complete list of a kind. Throws as `readComplete`, and ERR_CONSUL_INCOMPLETE for one that went back in time. */
export async function listAcl(
  transport: Transport,
  kind: AclKind,
  tenancy: Tenancy,
  guard: IndexGuard,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { operation, list: path } = ACL_TABLES[kind];
  const floor = guard.highest(operation);
  const query = { ...toTenancyQuery(tenancy), consistent: '' };
  const answer = await readComplete(transport, { operation, path, query }, signal);
  guard.check(operation, answer.index, floor);
  return parseRecords(answer.body, operation);
}

/**
 * What a single read says of one object, undefined where Consul says that there is none. A missing policy is answered
 * with the words for an unknown ACL token: 'unclear'.
 */
export async function readAcl(
  transport: Transport,
  kind: AclKind,
  id: string,
  tenancy: Tenancy,
  signal: AbortSignal,
): Promise<unknown | 'unclear' | undefined> {
  const operation = 'acl.read';
  const path = `${ACL_TABLES[kind].one}/${encodeURIComponent(id)}`;
  const query = { ...toTenancyQuery(tenancy), consistent: '' };
  const expected = kind === 'acl-policy' ? [200, 403, 404] : [200, 404];
  const request = { operation, method: 'GET', path, query } as const;
  const answer = await transport.send(request, signal, expected);
  if (answer.status === 200) return parseJson(answer.body, operation);
  if (answer.status === 404) {
    requireConsul(answer, operation);
    return undefined;
  }
  if (/acl not found/i.test(new TextDecoder().decode(answer.body.subarray(0, 100)))) return 'unclear';
  // Once more, for the refusal in its usual words.
  return parseJson((await transport.send(request, signal)).body, operation);
}

/** A 404 of Consul's own: that of some proxy, which knows no such path, must not read as none. */
export function requireConsul(answer: ConsulAnswer, operation: Operation): void {
  if (answer.headers['x-consul-default-acl-policy'] === undefined)
    throw incomplete(
      operation,
      'answered 404, but not as Consul does; check that consul.address points to Consul',
    );
}

/** A list of objects. */
export function parseRecords(
  body: Uint8Array,
  operation: Operation,
): readonly Readonly<Record<string, unknown>>[] {
  const list = parseJson(body, operation);
  if (!Array.isArray(list)) throw incomplete(operation, 'the answer is not a list');
  if (!list.every(isRecord)) throw incomplete(operation, 'the list contains a value that is not an object');
  return list;
}
