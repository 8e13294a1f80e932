/**
 * The canonical form of RFC 8785 of a value that came from JSON: no white space, members in the order of their UTF-16
 * names, numbers and texts as ECMAScript writes them. Leaves out members that are undefined. The RFC forbids a lone
 * surrogate; one that a hostile text contains counts as U+FFFD, so that it cannot stop the log.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  // A trip through UTF-8 replaces lone surrogates.
  if (typeof value === 'string') return JSON.stringify(Buffer.from(value).toString());
  return JSON.stringify(value) ?? 'null';
}
