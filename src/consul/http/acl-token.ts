import { MANAGEMENT_POLICY_ID } from '../../model/acl.js';
import { isRecord } from '../../model/is-record.js';
import type { AclTokenFacts } from '../consul.js';
import { Reader } from '../reader.js';
import { parseJson } from './answer.js';
import type { Transport } from './transport.js';

const OPERATION = 'acl.token';

/**
 * Reads `/v1/acl/token/self`, which every token may read, and the rules from `/v1/acl/token/<accessor>?expanded`, which
 * needs acl:read (the first path ignores `expanded`). The SecretID in the answers is dropped here.
 */
export async function readAclToken(
  transport: Transport,
  signal: AbortSignal,
): Promise<AclTokenFacts | undefined> {
  if (!transport.hasAclToken) return undefined;
  const request = { operation: OPERATION, method: 'GET', path: '/v1/acl/token/self' } as const;
  const answer = await transport.send(request, signal, [200, 401]);
  if (answer.status === 401) return undefined;
  const reader = new Reader(OPERATION);
  const self = reader.record(parseJson(answer.body, OPERATION));
  const accessorId = reader.text(self.AccessorID);
  const links = reader.records(self.Policies);
  const rules = await readRules(transport, accessorId, signal);
  const expiresAt = reader.optionalText(self.ExpirationTime);
  return {
    accessorId,
    policies: links.map((link) => reader.optionalText(link.Name)),
    isManagement: links.some((link) => link.ID === MANAGEMENT_POLICY_ID),
    ...(rules === undefined ? {} : { rules }),
    ...(expiresAt === '' ? {} : { expiresAt }),
  };
}

async function readRules(
  transport: Transport,
  accessorId: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const path = `/v1/acl/token/${encodeURIComponent(accessorId)}`;
  const request = { operation: OPERATION, method: 'GET', path, query: { expanded: '' } } as const;
  const answer = await transport.send(request, signal, [200, 403]);
  if (answer.status === 403) return undefined;
  const reader = new Reader(OPERATION);
  const aclToken = reader.record(parseJson(answer.body, OPERATION));
  const policies = reader.list(aclToken.ExpandedPolicies).filter(isRecord);
  return policies.map((policy) => reader.optionalText(policy.Rules));
}
