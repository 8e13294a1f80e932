/** A claim of a token: the names on the way to it, so `['act', 'sub']` is `sub` inside `act`. */
export type ClaimPath = readonly string[];

/** A claim that shows something by its value: a fixed one, or the client id between two texts. */
export type ClaimProof =
  | { readonly claim: ClaimPath; readonly equals: string }
  | { readonly claim: ClaimPath; readonly clientIdBetween: readonly [before: string, after: string] };

/** Where Consul gets the keys of a provider from; exactly one. */
export type SigningKeys =
  | { readonly jwksUrl: string }
  | { readonly oidcDiscoveryUrl: string }
  | { readonly validationPubKeys: readonly string[] };

/** What Consul must know of a provider to admit its tokens. */
export interface LoginProvider {
  readonly name: string;
  readonly issuer: string;
  /** What a token must be issued for; without it nobody logs in, because Consul would look at no audience at all. */
  readonly audience: string | undefined;
  /** What a user's token beside a call must be issued for. The called service sees that token, and could log in with one for `audience`. */
  readonly userAudience: string | undefined;
  readonly keys: SigningKeys;
  readonly caCert?: string;
  /** By which proxies verify the server of the keys: a path on their machines. */
  readonly keysCaFile?: string;
  readonly signingAlgorithms: readonly string[];
  readonly claims: { readonly client: ClaimPath; readonly subject: ClaimPath; readonly groups: ClaimPath };
  /** The claim with the scopes, and whether it is a list; of a text with several, no proxy finds a single one. */
  readonly scopes: { readonly claim: ClaimPath; readonly isList: boolean };
  /** What only a token that the client got for itself shows: a person's token at the same client must not act as it. */
  readonly ownToken: ClaimProof | undefined;
  /** What only a person's token shows. */
  readonly person: { readonly claim: ClaimPath; readonly equals: string } | undefined;
}

/** What the mapping says of Consul's ACL tokens, besides the `acl:` rules. */
export interface AclSettings {
  /** Whether a client may log in as the service that claims it. */
  readonly login: boolean;
  /** By name. */
  readonly providers: ReadonlyMap<string, LoginProvider>;
  readonly groups: readonly GroupRules[];
}

export interface GroupRules {
  /** Absent: the only provider there is. */
  readonly provider?: string;
  readonly group: string;
  /** Where and how a token names the group, if not in the claim of groups and as the mapping does. */
  readonly inToken?: { readonly claim: ClaimPath; readonly name: string };
  readonly acl: string;
}

/** What the tokens of each kind's providers tell clients and people apart by; the configuration may say another `client`. */
export const TOKEN_SHAPES = {
  // `client_id` comes from the mapper of service accounts alone; `azp` is in every token of the client.
  keycloak: {
    client: ['azp'],
    subject: ['sub'],
    ownToken: { claim: ['client_id'], clientIdBetween: ['', ''] },
  },
  // RFC 9068, section 2.2: where no resource owner is involved, the subject is the client.
  oidc: { client: ['client_id'], subject: ['sub'], ownToken: { claim: ['sub'], clientIdBetween: ['', ''] } },
  okta: { client: ['cid'], subject: ['sub'], ownToken: { claim: ['sub'], clientIdBetween: ['', ''] } },
  auth0: {
    client: ['azp'],
    subject: ['sub'],
    ownToken: { claim: ['sub'], clientIdBetween: ['', '@clients'] },
  },
  // `sub` is another for every client; `oid` is the person's, or the service principal's. Only `idtyp` tells these apart.
  entra: {
    client: ['azp'],
    subject: ['oid'],
    ownToken: { claim: ['idtyp'], equals: 'app' },
    person: { claim: ['idtyp'], equals: 'user' },
  },
} as const satisfies Record<
  string,
  { client: ClaimPath; subject: ClaimPath; ownToken: ClaimProof; person?: LoginProvider['person'] }
>;

/** By the last name of a claim: where a kind's tokens carry scopes or roles as a list, and not as a text. */
export const SCOPE_LISTS = {
  // `realm_access.roles` and `resource_access.<client>.roles`; `scope` is a text.
  keycloak: ['roles'],
  oidc: [],
  okta: ['scp'],
  auth0: ['permissions'],
  // `roles` are app roles; `scp` is a text.
  entra: ['roles'],
} as const satisfies Record<keyof typeof TOKEN_SHAPES, readonly string[]>;
