import { z } from 'zod';
import { secret, text } from '../fields.js';
import { everyKind, toSettings } from './any-provider.js';

export type OidcSettings = ReturnType<typeof toOidc>;

export const OIDC = z.strictObject({
  kind: z.literal('oidc'),
  ...everyKind,
  directory: text().describe('The JSON document of the clients: a file, or an http(s) URL.'),
  directoryToken: secret({ mayBeEmpty: true })
    .exactOptional()
    .describe('Sent to the directory as a bearer token.'),
});

/** `directory` becomes an http(s) URL, or the path of a file, which `absolute` completes. */
export function toOidc(parsed: z.output<typeof OIDC>, absolute: (path: string) => string) {
  const { directory, directoryToken, ...settings } = toSettings(parsed);
  return {
    ...settings,
    directory: /^https?:\/\//i.test(directory) ? directory : absolute(directory),
    ...(directoryToken === undefined || directoryToken.isEmpty ? {} : { directoryToken }),
  };
}
