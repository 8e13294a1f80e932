const letters: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};
const escapes = /\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\"]))/;
const everyEscape = new RegExp(escapes, 'g');
const interpreted = new RegExp(`^(?:[^\\\\\\n]|${escapes.source})*$`);

/** The bytes, one character each, that a quoted string of Go means; undefined where Go refuses it. */
export function unquoteGo(quoted: string): string | undefined {
  const inner = bytesOf(quoted.slice(1, -1));
  if (quoted.startsWith('`')) return inner.replaceAll('\r', '');
  if (!interpreted.test(inner)) return undefined;
  let isValid = true;
  const unquoted = inner.replace(everyEscape, (_all, hex, octal, short, long, letter) => {
    if (letter !== undefined) return letters[letter] ?? '';
    const code = Number.parseInt(hex ?? octal ?? short ?? long, octal === undefined ? 16 : 8);
    const isByte = short === undefined && long === undefined;
    const isRune = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    isValid &&= isByte ? code <= 0xff : isRune;
    if (!isValid) return '';
    return isByte ? String.fromCharCode(code) : bytesOf(String.fromCodePoint(code));
  });
  return isValid ? unquoted : undefined;
}

/** One character for each byte of the UTF-8 text. */
export function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
