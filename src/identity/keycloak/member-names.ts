/** The meaning of a name under `groups:` in Keycloak. */
export type MemberName =
  | { readonly kind: 'group'; readonly path: string }
  | { readonly kind: 'clientRole'; readonly clientId: string; readonly role: string }
  | { readonly kind: 'organization'; readonly alias: string }
  /** The top-level group with this name or the realm role if no group has it. */
  | { readonly kind: 'bare'; readonly name: string };

const CLIENT_ROLE = 'client/';
const ORGANIZATION = 'organization/';

/**
 *   /ops/oncall                a group by its path
 *   client/orders-api/reader   a role of a client; the role follows the last slash
 *   organization/acme          an organization by its alias
 *   oncall                     a top-level group, or a role of the realm
 */
export function parseMemberName(text: string): MemberName {
  if (text.startsWith('/')) return { kind: 'group', path: text };
  if (text.startsWith(ORGANIZATION)) return { kind: 'organization', alias: text.slice(ORGANIZATION.length) };
  const at = text.lastIndexOf('/');
  if (text.startsWith(CLIENT_ROLE) && at >= CLIENT_ROLE.length) {
    return { kind: 'clientRole', clientId: text.slice(CLIENT_ROLE.length, at), role: text.slice(at + 1) };
  }
  return { kind: 'bare', name: text };
}

export function clientRoleName(clientId: string, role: string): string {
  return `${CLIENT_ROLE}${clientId}/${role}`;
}

export function organizationName(alias: string): string {
  return ORGANIZATION + alias;
}
