/** Access to JSON that nothing has verified. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function textsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

/** The form of Keycloak's IDs: mostly UUIDs, or what an import chose, in a column of 36 characters. */
export function isInternalId(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,35}$/.test(value);
}
