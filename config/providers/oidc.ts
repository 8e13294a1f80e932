import { z } from 'zod';
import type { Secret } from '../../src/model/secret.js';
import { secret, text } from '../fields.js';
import { type AnyProvider, everyKind, toSettings } from './any-provider.js';

export interface OidcSettings extends AnyProvider {
  readonly kind: 'oidc';
  /** An http(s) URL, or the absolute path of a file. */
  readonly directory: string;
  readonly directoryToken?: Secret;
}

export const OIDC = z.strictObject({
  kind: z.literal('oidc'),
  ...everyKind,
  directory: text().describe('The JSON document of the clients: a file, or an http(s) URL.'),
  directoryToken: secret({ mayBeEmpty: true })
    .exactOptional()
    .describe('Sent to the directory as a bearer token.'),
});

/** `absolute` completes the path of a file. */
export function toOidc(parsed: z.output<typeof OIDC>, absolute: (path: string) => string): OidcSettings {
  const { directory, directoryToken, ...settings } = toSettings(parsed);
  return {
    ...settings,
    directory: /^https?:\/\//i.test(directory) ? directory : absolute(directory),
    ...(directoryToken === undefined || directoryToken.isEmpty ? {} : { directoryToken }),
  };
}
