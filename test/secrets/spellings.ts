/** No piece of a secret of this length may appear. */
const PIECE = 12;

/**
 * Where a text shows one of the secrets: whole or a piece of it, also in base64 (at any offset), base64url, hexadecimal,
 * percent-encoding or JSON. Names of secrets, never the secrets themselves.
 */
export function secretsIn(text: string, secrets: ReadonlyMap<string, string>): readonly string[] {
  const lower = text.toLowerCase();
  return [...secrets].flatMap(([name, secret]) => {
    const isShown =
      piecesOf(secret).some((piece) => text.includes(piece)) ||
      spellingsOf(secret).some((spelling) => text.includes(spelling)) ||
      lower.includes(
        Buffer.from(secret)
          .toString('hex')
          .slice(0, 2 * PIECE),
      );
    return isShown ? [name] : [];
  });
}

function piecesOf(secret: string): readonly string[] {
  if (secret.length <= PIECE) return [secret];
  return Array.from({ length: secret.length - PIECE + 1 }, (_, at) => secret.slice(at, at + PIECE));
}

function spellingsOf(secret: string): readonly string[] {
  const percent = encodeURIComponent(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  return [percent, percent.toLowerCase(), json, ...base64Of(secret)].flatMap(
    (each) => piecesOf(each).at(0) ?? [],
  );
}

/** The characters of base64 that depend on the secret alone, for each of the three ways in which it can begin. */
function base64Of(secret: string): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]);
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
    const own = whole.slice(offset === 0 ? 0 : 4);
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
