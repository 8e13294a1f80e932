/** Careful looks into parsed JSON that nobody vouches for. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A string that is there and not empty. */
export function textAt(object: JsonObject, field: string): string | undefined {
  const value = object[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

export function textsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined;
}

/** The JSON object in a text; undefined for anything else, which the caller treats as not sent. */
export function objectIn(text: unknown): JsonObject | undefined {
  const value = valueIn(text);
  return isObject(value) ? value : undefined;
}

/** The same of a list of objects. */
export function objectsIn(text: unknown): readonly JsonObject[] | undefined {
  const value = valueIn(text);
  return Array.isArray(value) && value.every(isObject) ? value : undefined;
}

function valueIn(text: unknown): unknown {
  if (typeof text !== 'string') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Keycloak's ids: mostly UUIDs, or what an import chose, in a column of 36 characters. */
export function isInternalId(value: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,35}$/.test(value);
}
