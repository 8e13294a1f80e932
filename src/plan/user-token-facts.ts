import type { ExistingJwtProvider } from '../model/jwt-provider.js';

/** What must be known of Consul and the providers before a user's token can be required. */
export interface UserTokenFacts {
  /** As the agent says it; undefined until it is told. */
  readonly consulVersion: string | undefined;
  /** Versions of agents whose proxies would let a call through without the token; undefined until they are told. */
  readonly laxAgents: readonly string[] | undefined;
  /** By provider, from its discovery document; absent until that was read. */
  readonly jwksUris: ReadonlyMap<string, string>;
  /** The jwt-provider entries by lower-case name, as they meet in Consul; undefined until they were read. */
  readonly entries: ReadonlyMap<string, ExistingJwtProvider> | undefined;
}

export const NOTHING_KNOWN: UserTokenFacts = {
  consulVersion: undefined,
  laxAgents: undefined,
  jwksUris: new Map(),
  entries: undefined,
};
