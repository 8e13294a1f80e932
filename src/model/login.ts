/** The path of a claim in a token: `['act', 'sub']` is `sub` inside `act`. */
export type ClaimPath = readonly string[];

/** A claim that proves something by its value: a fixed text, or the client ID between two texts. */
export type ClaimProof =
  | { readonly claim: ClaimPath; readonly equals: string }
  | { readonly claim: ClaimPath; readonly clientIdBetween: readonly [before: string, after: string] };

/** Where Consul gets the keys of a provider from; exactly one. */
export type SigningKeys =
  | { readonly jwksUrl: string }
  | { readonly oidcDiscoveryUrl: string }
  | { readonly validationPubKeys: readonly string[] };

/** What Consul needs to know about a provider to accept its tokens. */
export interface LoginProvider {
  readonly name: string;
  readonly issuer: string;
  /** The required audience. Without it nobody can log in, because Consul would not check the audience at all. */
  readonly audience: string | undefined;
  /** The required audience of a user's token in a call. The called service sees that token; with `audience` it could log in with it. */
  readonly userAudience: string | undefined;
  readonly keys: SigningKeys;
  readonly caCert?: string;
  /** The CA file with which proxies verify the key server: a path on their machines. */
  readonly keysCaFile?: string;
  /** The header in which the called service gets the claims of the user's token. */
  readonly forwardUserAs?: string;
  readonly signingAlgorithms: readonly string[];
  readonly claims: { readonly client: ClaimPath; readonly subject: ClaimPath; readonly groups: ClaimPath };
  /** The claim with the scopes. A proxy finds a single scope in neither form: it compares the whole claim with one text. */
  readonly scopes: { readonly claim: ClaimPath; readonly isList: boolean };
  /** Proof that the client requested the token for itself. A person's token for the same client must not act as the client. */
  readonly ownToken: ClaimProof | undefined;
  /** Proof that the token is a person's. */
  readonly person: { readonly claim: ClaimPath; readonly equals: string } | undefined;
}

/** What the mapping says about Consul's ACL tokens, besides the `acl:` rules. */
export interface AclSettings {
  /** Whether a client may log in as the service that claims it. */
  readonly login: boolean;
  /** Whether it may also log in as a service that it names, before an instance is registered (`claims: confirmed`). */
  readonly firstLogin: boolean;
  /** By name. */
  readonly providers: ReadonlyMap<string, LoginProvider>;
  readonly groups: readonly GroupRules[];
}

export interface GroupRules {
  /** Absent: the only configured provider. */
  readonly provider?: string;
  readonly group: string;
  /** The claim and the name of the group in tokens, if they differ from the groups claim and the mapping. */
  readonly inToken?: { readonly claim: ClaimPath; readonly name: string };
  readonly acl: string;
}

/** The claims that distinguish clients and people in tokens of each provider kind. The configuration can override `client`. */
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
  // `sub` differs for every client; `oid` identifies the person or the service principal. Only `idtyp` distinguishes the two.
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

/** The claims, by the last name of their path, in which tokens of a kind carry scopes or roles as a list. */
export const SCOPE_LISTS = {
  // `realm_access.roles` and `resource_access.<client>.roles`; `scope` is a text.
  keycloak: ['roles'],
  oidc: [],
  okta: ['scp'],
  auth0: ['permissions'],
  // `roles` are app roles; `scp` is a text.
  entra: ['roles'],
} as const satisfies Record<keyof typeof TOKEN_SHAPES, readonly string[]>;
