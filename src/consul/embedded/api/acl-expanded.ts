import { currentLinks } from '../acl/acl-links.js';
import type { Cell } from '../cell.js';
import type { AclLink, AclPolicyRow, AclRoleRow, AclTokenRow } from '../state/rows.js';

/** A token's policies and roles spelled out, as `?expanded` asks. */
export function expandToken(cell: Cell, row: AclTokenRow): Record<string, unknown> {
  const roles: AclRoleRow[] = [];
  for (const link of currentLinks(cell.store, 'acl-roles', row.Roles)) {
    const role = cell.store.get('acl-roles', link.ID);
    if (role !== undefined) roles.push(role);
  }
  const links: AclLink[] = [
    ...currentLinks(cell.store, 'acl-policies', row.Policies),
    ...roles.flatMap((role) => currentLinks(cell.store, 'acl-policies', role.Policies)),
  ];
  const policies = new Map<string, AclPolicyRow>();
  for (const link of links) {
    const policy = cell.store.get('acl-policies', link.ID);
    if (policy !== undefined) policies.set(link.ID, policy);
  }
  return {
    ExpandedPolicies: policies.size === 0 ? null : [...policies.values()],
    ExpandedRoles: roles.length === 0 ? null : roles,
    NamespaceDefaultPolicyIDs: null,
    NamespaceDefaultRoleIDs: null,
    AgentACLDefaultPolicy: cell.defaultPolicy,
    AgentACLDownPolicy: 'extend-cache',
    ResolvedByAgent: cell.nodeName,
  };
}
