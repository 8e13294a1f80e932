import { currentLinks } from '../acl/acl-links.js';
import type { ServerContext } from '../server-context.js';
import type { AclLink, AclPolicyRow, AclRoleRow, AclTokenRow } from '../state/rows.js';

/** A token's policies and roles spelled out, as `?expanded` asks. */
export function expandToken(context: ServerContext, row: AclTokenRow): Record<string, unknown> {
  const roles: AclRoleRow[] = [];
  for (const link of currentLinks(context.store, 'acl-roles', row.Roles)) {
    const role = context.store.get('acl-roles', link.ID);
    if (role !== undefined) roles.push(role);
  }
  const links: AclLink[] = [
    ...currentLinks(context.store, 'acl-policies', row.Policies),
    ...roles.flatMap((role) => currentLinks(context.store, 'acl-policies', role.Policies)),
  ];
  const policies = new Map<string, AclPolicyRow>();
  for (const link of links) {
    const policy = context.store.get('acl-policies', link.ID);
    if (policy !== undefined) policies.set(link.ID, policy);
  }
  return {
    ExpandedPolicies: policies.size === 0 ? null : [...policies.values()],
    ExpandedRoles: roles.length === 0 ? null : roles,
    NamespaceDefaultPolicyIDs: null,
    NamespaceDefaultRoleIDs: null,
    AgentACLDefaultPolicy: context.defaultPolicy,
    AgentACLDownPolicy: 'extend-cache',
    ResolvedByAgent: context.nodeName,
  };
}
