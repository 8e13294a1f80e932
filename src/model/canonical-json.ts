/**
 * The canonical form of RFC 8785 of a value that came from JSON: no white space, members in the order of their UTF-16
 * names, numbers and texts as ECMAScript writes them. Leaves out members that are undefined. The RFC forbids a lone
 * surrogate; one that a hostile text contains counts as U+FFFD, so that it cannot stop the log.
 */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) {
    let items = '';
    for (const item of value) items += `${items === '' ? '' : ','}${canonicalJson(item)}`;
    return `[${items}]`;
  }
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  let written = '';
  for (const name of sorted(Object.keys(value))) {
    const member = value[name];
    if (member !== undefined) written += `${written === '' ? '' : ','}${text(name)}:${canonicalJson(member)}`;
  }
  return `{${written}}`;
}

/** Most names are in order already, and `sort` makes copies. */
function sorted(names: string[]): readonly string[] {
  const isInOrder = names.every((name, index) => index === 0 || (names[index - 1] ?? '') < name);
  return isInOrder ? names : names.sort();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** What JSON writes as it is: no quote, backslash or control character, and nothing that may be a surrogate. */
const PLAIN = /^[ !#-[\]-~]*$/;

function text(value: string): string {
  if (PLAIN.test(value)) return `"${value}"`;
  // A trip through UTF-8 replaces lone surrogates.
  return JSON.stringify(Buffer.from(value).toString());
}
