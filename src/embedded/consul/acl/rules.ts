import { type HclItem, HclSyntaxError, parseHcl } from './hcl.js';

export type AccessLevel = 'deny' | 'read' | 'list' | 'write';

export const scalarResources = ['acl', 'operator', 'mesh', 'keyring', 'peering'] as const;
export type ScalarResource = (typeof scalarResources)[number];

export const namedResources = ['agent', 'key', 'node', 'service', 'session', 'event', 'query'] as const;
export type NamedResource = (typeof namedResources)[number];

/** One rule about names: an exact one, or every name that starts so. */
export interface NamedRule {
  readonly resource: NamedResource;
  readonly isPrefix: boolean;
  readonly segment: string;
  readonly policy: AccessLevel;
  /** Services only: overrides what the policy implies for intentions. */
  readonly intentions?: AccessLevel;
}

export interface AclRules {
  readonly scalars: Readonly<Partial<Record<ScalarResource, AccessLevel>>>;
  readonly named: readonly NamedRule[];
}

/** Rules of an ACL policy. Throws an Error with Consul's text; unknown words are ignored. */
export function parseAclRules(text: string): AclRules {
  let items: HclItem[];
  try {
    items = parseHcl(text);
  } catch (error) {
    if (!(error instanceof HclSyntaxError)) throw error;
    throw new Error(`Failed to parse ACL rules: ${error.message}`);
  }
  const scalars: Partial<Record<ScalarResource, AccessLevel>> = {};
  const named: NamedRule[] = [];
  for (const item of items) {
    const scalar = scalarResources.find((resource) => resource === item.key);
    if (scalar !== undefined) {
      const value = typeof item.value === 'string' ? item.value : '';
      if (value === '') continue;
      const level = accessLevel(value, false);
      if (level === undefined) throw new Error(`Invalid ${scalar} policy: ${JSON.stringify(value)}`);
      scalars[scalar] = level;
      continue;
    }
    const rule = namedRule(item);
    if (rule !== undefined) named.push(rule);
  }
  return { scalars, named };
}

/** Go prints the offending rule as a struct literal of this type. */
const goTypes: Readonly<Record<NamedResource, readonly [type: string, field: string]>> = {
  agent: ['AgentRule', 'Node'],
  key: ['KeyRule', 'Prefix'],
  node: ['NodeRule', 'Name'],
  service: ['ServiceRule', 'Name'],
  session: ['SessionRule', 'Node'],
  event: ['EventRule', 'Event'],
  query: ['PreparedQueryRule', 'Prefix'],
};

function namedRule(item: HclItem): NamedRule | undefined {
  const isPrefix = item.key.endsWith('_prefix');
  const word = isPrefix ? item.key.slice(0, -'_prefix'.length) : item.key;
  const resource = namedResources.find((known) => known === word);
  if (resource === undefined || typeof item.value === 'string') return undefined;
  const segment = item.label ?? '';
  const policyText = textOf(item.value, 'policy');
  const intentionsText = textOf(item.value, 'intentions');
  const [type, field] = goTypes[resource];
  const enterprise = ['key', 'node', 'service'].includes(resource)
    ? ', EnterpriseRule:acl.EnterpriseRule{}'
    : '';
  const intentionsField = resource === 'service' ? `, Intentions:${JSON.stringify(intentionsText)}` : '';
  const literal = `&acl.${type}{${field}:${JSON.stringify(segment)}, Policy:${JSON.stringify(policyText)}${intentionsField}${enterprise}}`;
  const policy = accessLevel(policyText, resource === 'key');
  if (policy === undefined) throw new Error(`Invalid ${item.key} policy: ${literal}`);
  if (resource !== 'service' || intentionsText === '') return { resource, isPrefix, segment, policy };
  const intentions = accessLevel(intentionsText, false);
  if (intentions === undefined) throw new Error(`Invalid ${item.key} intentions policy: ${literal}`);
  return { resource, isPrefix, segment, policy, intentions };
}

function textOf(items: readonly HclItem[], key: string): string {
  const found = items.filter((item) => item.key.toLowerCase() === key).at(-1);
  return typeof found?.value === 'string' ? found.value : '';
}

function accessLevel(text: string, listAllowed: boolean): AccessLevel | undefined {
  const lower = text.toLowerCase();
  if (lower === 'deny' || lower === 'read' || lower === 'write') return lower;
  return lower === 'list' && listAllowed ? lower : undefined;
}
