import { compareText } from './compare-text.js';

/**
 * The canonical form of RFC 8785 of a value that came from JSON: no white space, members in the order of their UTF-16
 * names, numbers and texts as ECMAScript writes them. Leaves out members that are undefined. The RFC forbids a lone
 * surrogate; one that a hostile text contains counts as U+FFFD, so that it cannot stop the log.
 */
export function canonicalJson(value: unknown): string {
  if (isInOrder(value)) {
    const written = JSON.stringify(value) ?? 'null';
    // Only a lone surrogate is written like this, or a text that looks like one.
    if (!written.includes('\\ud')) return written;
  }
  return write(value);
}

/** Whether JSON writes the members of all its objects in the order of the canonical form. */
function isInOrder(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isInOrder);
  if (!isObject(value)) return true;
  let last = '';
  // Makes no list of the names: decisions are written by the thousand.
  for (const name in value) {
    if (name < last || !isInOrder(value[name])) return false;
    last = name;
  }
  return true;
}

function write(value: unknown): string {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${Array.from(value, write).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    // Before they are sorted, because the replacement has another place.
    .map(([name, member]): [string, unknown] => [name.toWellFormed(), member])
    .sort(([a], [b]) => compareText(a, b));
  return `{${members.map(([name, member]) => `${text(name)}:${write(member)}`).join(',')}}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function text(value: string): string {
  return JSON.stringify(value.toWellFormed());
}
