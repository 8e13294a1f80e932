/**
 * A path and what lies under it (`path`), or every path that begins with a text (`prefix`), by plain names only. Every
 * server reads a plain name alike. It is not empty and not of dots alone, also beside `;`, an encoded space or another
 * encoded character. It has no backslash, no encoded `.`, `/`, `\`, `%` or control character, and no overlong UTF-8
 * (`%c0`, `%c1`, `%e0` before `%80` to `%9f`, `%f0` before `%80` to `%8f`, and `%f8` to `%ff`, which UTF-8 never has).
 * So no path that is let through leads out of the written one, whatever the service makes of it (CVE-2024-10005).
 */
export interface PlainPath {
  readonly kind: 'path' | 'prefix';
  readonly text: string;
}

const FIRST = '[^\\x00-\\x20%./;\\\\]';
const LATER = '[^\\x00-\\x20%/\\\\]';
/** After `%e0` and `%f0` the next character decides, so that it must be encoded too. */
const encoded = (after2: string) =>
  `%(?:2[${after2}]|5[0-9ABD-Fabd-f]|[Cc][2-9A-Fa-f]|[346-9ABDabd][0-9A-Fa-f]|` +
  `[Ee](?:0%[ABab][0-9A-Fa-f]|[1-9A-Fa-f])|[Ff](?:0%[9ABab][0-9A-Fa-f]|[1-7]))`;
const REST = `(?:${LATER}|${encoded('0-46-9A-Da-d')})*`;
// Each text has one reading, so that JavaScript too matches it in linear time.
const NAME = `(?:\\.*${FIRST}|${encoded('1-46-9A-Da-d')})${REST}`;
const BELOW = `(?:/${NAME})*/?`;

/** What follows the text, by the part of a name that the text ends with. */
const TAILS = {
  path: BELOW,
  nothing: `(?:${NAME}${BELOW})?`,
  dots: `\\.*${FIRST}${REST}${BELOW}`,
  name: `${REST}${BELOW}`,
} as const;

const PATH = new RegExp(`^(?:/${NAME})*$`);
const PREFIX = new RegExp(`^(?:/${NAME})*(?:/\\.*)?$`);

/** Whether the text has plain names only. The last name of a prefix may be the beginning of one. */
export function isPlainPath({ kind, text }: PlainPath): boolean {
  return (kind === 'path' ? PATH : PREFIX).test(text);
}

/** The RE2 expression that Envoy compares with the path as sent; undefined if the text itself is not plain. */
export function toPlainPathRegex(plain: PlainPath): string | undefined {
  return isPlainPath(plain) ? quote(plain.text) + TAILS[endOf(plain)] : undefined;
}

/** The reverse of `toPlainPathRegex`; undefined for any other expression. */
export function parsePlainPathRegex(regex: string): PlainPath | undefined {
  for (const [end, tail] of Object.entries(TAILS)) {
    if (!regex.endsWith(tail)) continue;
    const text = regex.slice(0, -tail.length).replaceAll(/\\([\s\S])/g, '$1');
    const plain: PlainPath = { kind: end === 'path' ? 'path' : 'prefix', text };
    if (toPlainPathRegex(plain) === regex) return plain;
  }
  return undefined;
}

/** An expression for people: `/v1/orders and below`, `/v1/ord*`, or `~` and the expression itself. */
export function toPathText(regex: string): string {
  const plain = parsePlainPathRegex(regex);
  if (plain === undefined) return `~${regex}`;
  return plain.kind === 'path' ? `${plain.text} and below` : `${plain.text}*`;
}

function endOf({ kind, text }: PlainPath): keyof typeof TAILS {
  if (kind === 'path') return 'path';
  const last = text.slice(text.lastIndexOf('/') + 1);
  return last === '' ? 'nothing' : /^\.+$/.test(last) ? 'dots' : 'name';
}

function quote(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
