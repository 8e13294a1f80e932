// biome-ignore-all lint/suspicious/noTemplateCurlyInString: messages show how references are written
import { z } from 'zod';
import { Secret } from '../src/model/secret.js';
import { DURATION, parseDuration } from './duration.js';
import { patternFault } from './pattern.js';
import { regexFault } from './regex-fault.js';

// Messages have the form `fault; what to write instead` and never quote the value.

/** The name of an owner or provider, which is part of marks, URLs and KV paths. */
export const name = () =>
  z
    .string()
    .regex(
      /^[a-z0-9][a-z0-9-]{0,62}$/,
      'must be a plain name; use 1 to 63 lower-case letters, digits and -, beginning with a letter or digit',
    );

export const serviceName = () =>
  z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, 'must be a plain service name; use lower-case letters, digits and -')
    .max(128, 'is longer than 128 characters');

/** How `consul.target` is written. */
export const TARGET_FORM = 'consul.target: { kind: crd, directory: … }';

/** The usual cause is a variable that is not set. */
const EMPTY = 'must not be empty; write a value, or leave the key out if it has none';

export const text = () =>
  z
    .string()
    .min(1, EMPTY)
    .max(16_384, 'is longer than 16384 characters')
    .refine(isPrintable, 'holds a control character; remove it');

export const multiline = () => z.string().min(1, EMPTY).max(65_536, 'is longer than 65536 characters');

export const pattern = () =>
  z.string().max(512, 'is longer than 512 characters').superRefine(reporting(patternFault));

export const regex = () => z.string().min(1, 'must not be empty').superRefine(reporting(regexFault));

export const path = () =>
  z
    .string()
    .regex(/^\//, 'must begin with /; write the path as in /v1/orders')
    .max(4096, 'is longer than 4096 characters')
    .refine(
      (value) => !/[\s?#{}\p{Cc}]/u.test(value),
      'must be a literal path; leave out spaces, braces, queries and fragments (captures work in "to")',
    );

/** Parsed to milliseconds. The bounds are inclusive durations. */
export const duration = (least: string, most: string) =>
  z
    .string('must be a duration; write a number with its unit, such as 30s, 5m or 1h')
    .regex(
      DURATION,
      'must be a duration; write whole numbers with a unit of ms, s, m, h or d, such as 30s, 5m or 1h',
    )
    .refine((value) => {
      const ms = parseDuration(value);
      return ms === undefined || (ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most) ?? 0));
    }, `must be from ${least} to ${most}`)
    .transform((value) => parseDuration(value) ?? 0);

/** A whole number from `least` to `most`, also as text, because it may come from a variable. */
export const wholeNumber = (
  most: number,
  least = 0,
  fault = `must be a whole number from ${least} to ${most}; write its digits alone, without % or a unit`,
) => {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value),
    z.int(fault).min(least, fault).max(most, fault),
  );
};

/** `on`, `off`, true or false, also as text, because it may come from a variable (YAML 1.2 parses a bare `off` as text). */
export const toggle = () =>
  z.union(
    [
      z.boolean(),
      z.enum(['on', 'off', 'true', 'false']).transform((value) => value === 'on' || value === 'true'),
    ],
    'must be on or off; write on, off, true or false',
  );

/** `mayBeEmpty`: an empty text, for example from an unset variable with an empty default, means that there is no secret. */
export const secret = (options: { mayBeEmpty: boolean } = { mayBeEmpty: false }) =>
  z
    .string()
    .min(options.mayBeEmpty ? 0 : 1, 'must not be empty; give the secret through ${NAME} or ${file:PATH}')
    .max(16_384, 'is longer than 16384 characters')
    .refine(isPrintable, 'holds a line break or another control character; remove it')
    .transform((value) => new Secret(value));

/** A URL with one of the protocols (`http:`), without credentials, query or fragment; unchanged. */
export const url = (...protocols: readonly string[]) => {
  const forms = protocols.map((protocol) => `${protocol}//…`).join(' or ');
  return z.string().superRefine((value, context) => {
    const parsed = parseUrl(value);
    const fault = (message: string) => context.addIssue({ code: 'custom', message });
    const isSocket = parsed?.protocol === 'unix:';
    if (
      parsed === undefined ||
      !protocols.includes(parsed.protocol) ||
      (parsed.hostname === '') !== isSocket ||
      (isSocket && parsed.pathname.length < 2)
    )
      fault(`must be a URL; write ${forms}`);
    else if (parsed.username !== '' || parsed.password !== '')
      fault('must not hold a user name or password; give them by their own keys');
    else if (parsed.search !== '' || parsed.hash !== '')
      fault('must not hold a query or a fragment; remove what follows ? or #');
  });
};

export function parseUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}

/** `host:port`, with IPv6 addresses in brackets as in a URL. */
export const hostPort = () => {
  const fault = 'must be host:port; write for example 127.0.0.1:8080 or [::1]:8080';
  return z.string(fault).superRefine((value, context) => {
    if (parseHostPort(value) === undefined) context.addIssue({ code: 'custom', message: fault });
  });
};

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export function parseHostPort(value: string): HostPort | undefined {
  const [, host = '', digits = ''] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/.exec(value) ?? [];
  const port = Number(digits);
  return host === '' || port > 65_535 ? undefined : { host: host.replaceAll(/[[\]]/g, ''), port };
}

function reporting(faultOf: (value: string) => string | undefined) {
  return (value: string, context: z.RefinementCtx): void => {
    const message = faultOf(value);
    if (message !== undefined) context.addIssue({ code: 'custom', message });
  };
}

function isPrintable(value: string): boolean {
  return !/\p{Cc}/u.test(value);
}
