const plain: Readonly<Record<string, number>> = {
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
  '\\': 0x5c,
  '"': 0x22,
};

/** The bytes, one character each, that a quoted string of Go stands for; undefined where Go refuses it. */
export function unquoteGo(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return bytesOf(inner.replaceAll('\r', ''));
  if (inner.includes('\n')) return undefined;
  let bytes = '';
  for (let at = 0; at < inner.length; ) {
    const character = String.fromCodePoint(inner.codePointAt(at) ?? 0);
    at += character.length;
    if (character !== '\\') {
      bytes += bytesOf(character);
      continue;
    }
    const escaped =
      /^(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\"]))/.exec(
        inner.slice(at),
      );
    if (escaped === null) return undefined;
    at += escaped[0].length;
    const [, byte, octal, short, long, letter] = escaped;
    const single =
      byte !== undefined
        ? Number.parseInt(byte, 16)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : plain[letter ?? ''];
    if (single !== undefined) {
      if (single > 0xff) return undefined;
      bytes += String.fromCharCode(single);
      continue;
    }
    const code = Number.parseInt(short ?? long ?? '', 16);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
    bytes += bytesOf(String.fromCodePoint(code));
  }
  return bytes;
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
