/** The name of a person who signed in, and so of their sessions. */
export function sessionsOfPerson(provider: string, sub: string): string {
  return `oidc:${provider}/${sub}`;
}

/** The name of the sessions of the console that began with one session at the provider. */
export function sessionsOfLogin(provider: string, sid: string): string {
  return `sid:${provider}/${sid}`;
}

/** The name of the sessions of everybody who signed in at the provider. */
export function sessionsOfProvider(provider: string): string {
  return `provider:${provider}`;
}
