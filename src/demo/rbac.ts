import { z } from 'zod';
import { toPathText } from '../model/plain-path.js';

const TEXT = z.string().default('');
const FLAG = z.boolean().default(false);
/** Consul writes an empty list as null. */
const listOf = <T extends z.ZodType>(entry: T) =>
  z
    .array(entry)
    .nullish()
    .transform((list) => list ?? []);
const HTTP = z.object({
  Methods: listOf(z.string()),
  PathExact: TEXT,
  PathPrefix: TEXT,
  PathRegex: TEXT,
  Header: listOf(
    z.object({
      Name: z.string(),
      Present: FLAG,
      Exact: TEXT,
      Prefix: TEXT,
      Suffix: TEXT,
      Regex: TEXT,
      Invert: FLAG,
    }),
  ),
});
const SOURCE = z.object({
  Name: z.string(),
  Peer: TEXT,
  /** Decides if there are no permissions; otherwise the source is L7. */
  Action: z.enum(['allow', 'deny', '']).default(''),
  Permissions: listOf(
    z.object({
      Action: z.enum(['allow', 'deny']),
      /** It also requires a user's token, which the demo cannot verify. */
      JWT: z.unknown().optional(),
      HTTP: HTTP.prefault({}),
    }),
  ),
});
const INTENTIONS = z.array(z.object({ Name: z.string(), Sources: listOf(SOURCE) }));

/** One source in a destination's intentions, with Consul's names of fields. */
export interface Intention extends z.output<typeof SOURCE> {
  readonly destination: string;
}
type Permission = Intention['Permissions'][number];
type HeaderRule = Permission['HTTP']['Header'][number];

/** The intentions of this mesh in the service-intentions entries that Consul answers. Throws ZodError. */
export function parseIntentions(json: unknown): readonly Intention[] {
  return INTENTIONS.parse(json).flatMap(({ Name: destination, Sources }) =>
    Sources.filter(({ Peer }) => Peer === '').map((source) => ({ ...source, destination })),
  );
}

export interface Call {
  readonly source: string;
  readonly destination: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Verdict {
  readonly isAllowed: boolean;
  /** A sentence for the body of a 403. */
  readonly reason: string;
}

/**
 * Decides as Envoy does with Consul's intentions in a default-deny mesh. Only the most exact intention counts
 * (precedence 9, 8, 6, 5: source -> destination, * -> destination, source -> *, * -> *). The first matching permission
 * decides. If none matches, the call is denied, and no wider intention is used. A tcp destination has no L7.
 */
export function judge(call: Call, intentions: readonly Intention[], protocol: string): Verdict {
  const { source, destination } = call;
  const intention =
    find(intentions, source, destination) ??
    find(intentions, '*', destination) ??
    find(intentions, source, '*') ??
    find(intentions, '*', '*');
  if (intention === undefined)
    return { isAllowed: false, reason: `no intention allows ${source} to call ${destination}` };
  const name = `the intention ${intention.Name} -> ${intention.destination}`;
  const { Permissions: permissions } = intention;
  if (permissions.length === 0) {
    const isAllowed = intention.Action === 'allow';
    return { isAllowed, reason: `${name} ${isAllowed ? 'allows' : 'denies'} everything` };
  }
  if (protocol === 'tcp') return { isAllowed: false, reason: `${name} is L7, but ${destination} speaks tcp` };
  const first = permissions.find((permission) => matches(permission, call));
  if (first === undefined)
    return { isAllowed: false, reason: `${name} has only ${permissions.map(describe).join('; ')}` };
  if (first.JWT !== undefined && first.JWT !== null)
    return { isAllowed: false, reason: `${name} requires a user's token, which the demo cannot verify` };
  const isAllowed = first.Action === 'allow';
  return { isAllowed, reason: `${name} ${isAllowed ? 'allows' : 'denies'} ${describe(first)}` };
}

function find(intentions: readonly Intention[], source: string, destination: string): Intention | undefined {
  return intentions.find((each) => each.Name === source && each.destination === destination);
}

function matches(
  { HTTP: { Methods, PathExact, PathPrefix, PathRegex, Header } }: Permission,
  call: Call,
): boolean {
  return (
    (Methods.length === 0 || Methods.includes(call.method)) &&
    (PathExact === '' || call.path === PathExact) &&
    (PathPrefix === '' || call.path.startsWith(PathPrefix)) &&
    (PathRegex === '' || matchesWhole(PathRegex, call.path)) &&
    Header.every((rule) => matchesHeader(rule, call.headers[rule.Name.toLowerCase()]))
  );
}

/** As in Envoy, a missing header matches no value, not even an inverted one. */
function matchesHeader(rule: HeaderRule, value: string | undefined): boolean {
  if (rule.Present) return (value !== undefined) !== rule.Invert;
  if (value === undefined) return false;
  const fits =
    rule.Exact !== ''
      ? value === rule.Exact
      : rule.Prefix !== ''
        ? value.startsWith(rule.Prefix)
        : rule.Suffix !== ''
          ? value.endsWith(rule.Suffix)
          : matchesWhole(rule.Regex, value);
  return fits !== rule.Invert;
}

/** As in Envoy, the expression must match the whole text. An expression that only RE2 supports matches nothing here. */
function matchesWhole(expression: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${expression})$`, 'su').test(text);
  } catch {
    return false;
  }
}

function describe({ HTTP: { Methods, PathExact, PathPrefix, PathRegex, Header } }: Permission): string {
  const path =
    PathExact !== ''
      ? PathExact
      : PathPrefix !== ''
        ? `${PathPrefix}*`
        : PathRegex !== ''
          ? toPathText(PathRegex)
          : '';
  const parts = [Methods.join(','), path, Header.length > 0 ? 'with headers' : ''];
  return parts.filter((part) => part !== '').join(' ') || 'everything';
}
