const JWT = /eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\./;
const CREDENTIALS = /\b(bearer|basic)\s+(?=\S*\d|\S{24})[a-z0-9._~+/=-]{8,}/i;

/**
 * Throws if anything that looks like a token, or one of the secrets in any usual spelling, is in the value's JSON
 * (or in the text itself). The error does not repeat it.
 */
export function assertNoSecret(value: unknown, secrets: readonly string[] = []): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (JWT.test(text)) throw new Error('it holds a JWT');
  if (CREDENTIALS.test(text)) throw new Error('it holds the credentials of an Authorization header');
  for (const [at, secret] of secrets.entries()) {
    const bytes = Buffer.from(secret);
    const spellings = [
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret),
      bytes.toString('base64').replace(/=+$/, ''),
      bytes.toString('base64url'),
      bytes.toString('hex'),
    ];
    if (spellings.some((spelling) => text.includes(spelling)))
      throw new Error(`it holds secret number ${at}`);
  }
}
