import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { selfSigned } from '../support/entra/certificate.js';

/** A secret of each kind that providers, Consul and callers see, by name. Each occurs nowhere else. */
export interface Planted {
  readonly secrets: ReadonlyMap<string, string>;
  /** The secret of a name. */
  of(name: string): string;
  /** Of Okta's private key. */
  readonly publicKey: KeyObject;
  readonly privateKeyPem: string;
  /** A certificate, and its key, which is a secret. */
  readonly certificate: string;
  readonly certificateKeyPem: string;
}

/** Secrets with the characters that encodings change. */
const WITH_PUNCTUATION = [
  'keycloak client secret',
  'keycloak webhook secret',
  'okta hook secret',
  'entra client secret',
  'entra client state',
  'entra federated token',
  'ssf client secret',
  'password in a header',
  'kafka password',
  'redis password',
];
/** Secrets that are sent as they are in a header, or as bearer tokens. */
const PLAIN = [
  'okta api token',
  'directory token',
  'ssf token',
  'ssf push token',
  'http token',
  'token in a query',
  'token in the address of a webhook',
  'telemetry token',
];
/** Tokens of providers and of callers. */
const JWTS = [
  'keycloak access token',
  'okta access token',
  'entra access token',
  'auth0 access token',
  'ssf access token',
  'token of a caller',
  'token in an event',
  'pushed set',
];

export function plant(consulToken: string): Planted {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const body = bodyOf(privateKeyPem);
  const certificate = selfSigned();
  const secrets = new Map<string, string>([
    ['consul token', consulToken],
    // Letters alone, as an error code of OAuth.
    ['auth0 client secret', `planted_${letters(32)}`],
    ['webhook secret', `whsec_${randomBytes(32).toString('base64')}`],
    ['signing secret of a webhook', `whsec_${randomBytes(32).toString('base64')}`],
    ['okta private key', body.slice(100, 1_000)],
    ['key of a certificate', bodyOf(certificate.key).slice(500, 1_400)],
    ...WITH_PUNCTUATION.map((name): [string, string] => [name, `${text(18)}+/=:@ %&"'<${text(18)}`]),
    ...PLAIN.map((name): [string, string] => [name, text(40)]),
    ...JWTS.map((name): [string, string] => [name, jwt()]),
  ]);
  return {
    secrets,
    publicKey,
    privateKeyPem,
    certificate: certificate.certificate,
    certificateKeyPem: certificate.key,
    of(name) {
      const secret = secrets.get(name);
      if (secret === undefined) throw new Error(`nothing planted as ${name}`);
      return secret;
    },
  };
}

function bodyOf(pem: string): string {
  return pem.replaceAll(/-----.*-----|\s/g, '');
}

function text(length: number): string {
  return randomBytes(length).toString('base64url').slice(0, length);
}

function letters(length: number): string {
  return [...randomBytes(length)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

/** The beginnings of two JWTs are alike, so only what follows the header counts as the secret. */
function jwt(): string {
  return `eyJhbGciOiJSUzI1NiJ9.${randomBytes(60).toString('base64url')}.${randomBytes(60).toString('base64url')}`;
}
