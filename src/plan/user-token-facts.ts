import type { ExistingJwtProvider } from '../model/jwt-provider.js';

/** The facts about Consul and the providers that are needed before a user's token can be required. */
export interface UserTokenFacts {
  /** As the agent reports it; undefined until then. */
  readonly consulVersion: string | undefined;
  /** Versions of agents whose proxies would allow a call without the token; undefined until they are known. */
  readonly laxAgents: readonly string[] | undefined;
  /** By provider, from its discovery document; absent until the document was read. */
  readonly jwksUris: ReadonlyMap<string, string>;
  /** The jwt-provider entries by lower-case name, because Consul ignores case; undefined until they were read. */
  readonly entries: ReadonlyMap<string, ExistingJwtProvider> | undefined;
}

export const NOTHING_KNOWN: UserTokenFacts = {
  consulVersion: undefined,
  laxAgents: undefined,
  jwksUris: new Map(),
  entries: undefined,
};
