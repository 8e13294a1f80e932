import { compareText } from '../../../model/compare-text.js';
import { objectsIn, textIn, textsIn } from '../body.js';
import { quoted, serverFailure } from '../exchange.js';
import { type Decoded, list, string, strings } from '../shape.js';
import type { AclLink, NodeIdentity, ServiceIdentity } from '../state/rows.js';
import type { StateStore } from '../state/state-store.js';

/** The fields that tokens and roles share. */
export const grantFields = [
  ...list('Policies', string('ID Name')),
  ...list('ServiceIdentities', string('ServiceName'), strings('Datacenters?')),
  ...list('NodeIdentities', string('NodeName Datacenter')),
];

export const roleLinkField = list('Roles', string('ID Name'));

/** The grants in the body of a token or a role. Throws where a link leads nowhere or an identity is malformed. */
export function grantsIn(store: StateStore, body: Decoded, owner: 'token' | 'role') {
  return {
    Roles: resolveLinks(store, 'acl-roles', objectsIn(body, 'Roles')),
    Policies: resolveLinks(store, 'acl-policies', objectsIn(body, 'Policies')),
    ServiceIdentities: serviceIdentitiesIn(body, owner),
    NodeIdentities: nodeIdentitiesIn(body, owner),
  };
}

/** Links by id or name to policies or roles, each once. Throws where one does not exist. */
function resolveLinks(
  store: StateStore,
  table: 'acl-policies' | 'acl-roles',
  given: readonly Decoded[],
): AclLink[] {
  const noun = table === 'acl-policies' ? 'policy' : 'role';
  const rows = store.list(table);
  const links = new Map<string, AclLink>();
  for (const link of given) {
    const [id, name] = [textIn(link, 'ID'), textIn(link, 'Name')];
    const row =
      id === ''
        ? rows.find((candidate) => sameName(candidate.Name, name))
        : rows.find((candidate) => candidate.ID === id);
    if (row === undefined) {
      const linkedBy = id === '' ? `name ${quoted(name)}` : `ID ${quoted(id)}`;
      throw serverFailure(`No such ACL ${noun} with ${linkedBy}`);
    }
    links.set(row.ID, { ID: row.ID, Name: row.Name });
  }
  return [...links.values()];
}

/** Stored links with the names their targets have now; links whose target is gone are dropped. */
export function currentLinks(
  store: StateStore,
  table: 'acl-policies' | 'acl-roles',
  links: readonly AclLink[] | undefined,
): AclLink[] {
  return (links ?? []).flatMap((link) => {
    const row = store.get(table, link.ID);
    return row === undefined ? [] : [{ ID: row.ID, Name: row.Name }];
  });
}

function serviceIdentitiesIn(body: Decoded, owner: string): ServiceIdentity[] {
  return objectsIn(body, 'ServiceIdentities').map((identity) => {
    const name = textIn(identity, 'ServiceName');
    if (name === '')
      throw serverFailure(`Service identity is missing the service name field on this ${owner}`);
    if (!/^[a-z0-9]([a-z0-9\-_]*[a-z0-9])?$/.test(name) || name.length > 256) {
      throw serverFailure(
        `Service identity ${quoted(name)} has an invalid name. Only lowercase alphanumeric characters, '-' and '_' are allowed`,
      );
    }
    const datacenters = textsIn(identity, 'Datacenters');
    return { ServiceName: name, ...(datacenters === null ? {} : { Datacenters: datacenters }) };
  });
}

function nodeIdentitiesIn(body: Decoded, owner: string): NodeIdentity[] {
  return objectsIn(body, 'NodeIdentities').map((identity) => {
    const [name, datacenter] = [textIn(identity, 'NodeName'), textIn(identity, 'Datacenter')];
    if (name === '') throw serverFailure(`Node identity is missing the node name field on this ${owner}`);
    if (datacenter === '')
      throw serverFailure(`Node identity is missing the datacenter field on this ${owner}`);
    return { NodeName: name, Datacenter: datacenter };
  });
}

/** Names of ACL objects are compared case-insensitively. */
export function sameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

/** The order of lists. */
export function byName(left: { readonly Name: string }, right: { readonly Name: string }): number {
  return compareText(left.Name, right.Name);
}

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** Throws where the ID of a lookup is not a UUID. */
export function requireUuid(text: string, noun: string): void {
  if (text.length !== 36)
    throw serverFailure(`failed acl ${noun} lookup: index error: UUID must be 36 characters`);
}
