import type { AclToken } from '../model/acl.js';
import { groupBy } from '../model/group-by.js';
import type { Mapping } from '../model/rule.js';
import { ownService } from '../plan/own-service.js';
import { type ClientId, clientText, serviceText } from '../plan/world.js';
import type { ClaimEvidence, ProposedClaim } from './proposal.js';

/** The text that gives a right to a client or a scope now. */
export interface HolderProof {
  readonly kind: 'acl-token' | 'acl-auth-method';
  /** The accessor ID of the token, or the name of the auth method. */
  readonly name: string;
  readonly by: 'Description' | 'role' | 'service identity' | 'selector';
  readonly text: string;
}

export interface TokenHolder {
  /** All that a word of its texts, or a service identity, may mean. */
  readonly clients: readonly ClientId[];
  /** Present if exactly one client remains, and the token names it without doubt. */
  readonly proof: HolderProof | undefined;
}

export interface HolderSearch {
  readonly mapping: Pick<Mapping, 'place'>;
  readonly clients: readonly ClientId[];
  /** By `serviceText`. */
  readonly claims: ReadonlyMap<string, ProposedClaim>;
}

/**
 * A function for the holder of a token with these service identities. A word alone is no proof: "key for backup of KV" is no
 * token of a client `backup`. A Description proves a client as `CLIENT_ID`, `token of CLIENT_ID` or with `client=CLIENT_ID`,
 * a role by an equal name, and service identities if one client has them all by claims that somebody made.
 */
export function createHolderSearch({ mapping, clients, claims }: HolderSearch) {
  const ids = clients.map(({ provider, clientId }) => ({ provider, clientId }));
  const byId = groupBy(ids, ({ clientId }) => clientId);
  return (aclToken: AclToken, services: ReadonlySet<string>): TokenHolder => {
    const { accessorId: name, description, roles } = aclToken;
    const forms = formsOf(description);
    const claimed = [...services].map((serviceName) =>
      claims.get(serviceText(ownService(mapping, serviceName))),
    );
    const words = [...description.split(SEPARATORS), ...forms.keys(), ...roles];
    const found = [
      ...words.flatMap((word) => byId.get(word) ?? []),
      ...claimed.flatMap((claim) => claim?.client ?? []),
    ];
    const all = [...new Map(found.map((each) => [clientText(each), each])).values()];
    const [client] = all;
    if (client === undefined || all.length > 1) return { clients: all, proof: undefined };
    const proven = (by: HolderProof['by'], text: string): TokenHolder => ({
      clients: all,
      proof: { kind: 'acl-token', name, by, text },
    });
    const form = forms.get(client.clientId);
    if (form !== undefined) return proven('Description', form);
    if (roles.includes(client.clientId)) return proven('role', client.clientId);
    const isClaimed = claimed.length > 0 && claimed.every((claim) => MADE.has(claim?.evidence));
    return isClaimed
      ? proven('service identity', [...services].join(', '))
      : { clients: all, proof: undefined };
  };
}

const SEPARATORS = /[\s,;:=()[\]<>"'`]+/;
/** An equal name, or a claim that only the service makes, is a guess until a person confirms it. */
const MADE: ReadonlySet<ClaimEvidence | undefined> = new Set<ClaimEvidence>(['claim', 'attribute']);

/** Each client ID that a Description would prove, with the form that does. */
function formsOf(description: string): ReadonlyMap<string, string> {
  const whole = description.trim();
  const [, ofWhom] = /^token of (.+)$/i.exec(whole) ?? [];
  const marked = [...description.matchAll(/(?:^|[\s,;([])client=(\S+)/g)].flatMap(([, id = '']) => [
    id,
    id.replace(/[,;.)\]]+$/, ''),
  ]);
  return new Map([
    ...marked.map((id) => [id, `client=${id}`] as const),
    ...(ofWhom === undefined ? [] : [[ofWhom, whole] as const]),
    [whole, whole],
  ]);
}
