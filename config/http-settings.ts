import { z } from 'zod';
import { Secret } from '../src/model/secret.js';
import { CONSOLE, type ConsoleSettings, toConsole } from './console-settings.js';
import { type HostPort, hostPort, name, parseHostPort, secret, toggle } from './fields.js';

/** 32 characters of base64 are 192 bits. */
const MIN_TOKEN_LENGTH = 32;

const TOKEN = z.strictObject({
  name: name(),
  token: secret().refine(
    // What RFC 6750, section 2.1, lets an Authorization header carry.
    (value) => /^[A-Za-z0-9._~+/-]+=*$/.test(value.reveal()) && value.reveal().length >= MIN_TOKEN_LENGTH,
    `must be at least ${MIN_TOKEN_LENGTH} letters, digits and characters of "-._~+/="; make one with openssl rand -base64 32`,
  ),
  approve: toggle()
    .prefault(false)
    .describe('Whether the holder may approve, reject and release; otherwise the token only reads.'),
});

/** A bearer token. Two may have one name, while one takes the place of the other. */
export type HttpToken = Readonly<z.output<typeof TOKEN>>;

export interface HttpSettings {
  readonly listen: HostPort;
  /** Of everything but `/events`, if that has a listener of its own. */
  readonly admin?: HostPort;
  readonly tokens: readonly HttpToken[];
  readonly console: ConsoleSettings;
}

/** The schema of `http`. */
export const HTTP = z
  .strictObject({
    listen: hostPort().prefault('127.0.0.1:8080'),
    admin: hostPort()
      .exactOptional()
      .describe(
        'A second listener for everything but /events; then listen has /events and the probes alone.',
      ),
    tokens: z.array(TOKEN).prefault([]).describe('Bearer tokens of the API, the status and the metrics.'),
    console: CONSOLE.prefault({}).describe('The web console, which the same listener serves.'),
  })
  .superRefine(({ listen, admin, tokens }, context) => {
    // Port 0 is another port each time.
    if (typeof admin === 'string' && textOf(admin) === textOf(listen) && !admin.endsWith(':0'))
      context.addIssue({
        code: 'custom',
        path: ['admin'],
        message: 'is the address of http.listen; give it another port',
      });
    const seen = new Set<string>();
    for (const [index, { token }] of tokens.entries()) {
      // What is not even a text was reported already.
      if (!(token instanceof Secret)) continue;
      const text = token.reveal();
      if (seen.has(text))
        context.addIssue({
          code: 'custom',
          path: ['tokens', index, 'token'],
          message: 'is the token of another entry; give each entry its own',
        });
      seen.add(text);
    }
  });

export function toHttpSettings({ listen, admin, tokens, console }: z.output<typeof HTTP>): HttpSettings {
  const adminAt = admin === undefined ? undefined : toAddress(admin);
  return {
    listen: toAddress(listen) ?? { host: '127.0.0.1', port: 8080 },
    ...(adminAt === undefined ? {} : { admin: adminAt }),
    tokens,
    console: toConsole(console),
  };
}

/**
 * The name `localhost` has an address of each family. The server would listen on both, and limit the connections of one;
 * the commands might send their token to another program that has the port in the other family.
 */
function textOf(address: string): string {
  return address.replace(/^localhost:/i, '127.0.0.1:');
}

function toAddress(text: string): HostPort | undefined {
  return parseHostPort(textOf(text));
}
