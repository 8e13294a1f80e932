import { toPathText } from '../model/plain-path.js';

/** One HTTP permission of a source, as Consul writes it. */
export interface Permission {
  readonly action: 'allow' | 'deny';
  /** It also requires a user's token, which the demo cannot verify. */
  readonly isUnverifiable: boolean;
  readonly methods: readonly string[];
  readonly pathExact: string;
  readonly pathPrefix: string;
  readonly pathRegex: string;
  readonly headers: readonly HeaderRule[];
}

export interface HeaderRule {
  readonly name: string;
  readonly isPresent: boolean;
  readonly exact: string;
  readonly prefix: string;
  readonly suffix: string;
  readonly regex: string;
  readonly isInverted: boolean;
}

/** One source in a destination's intentions. It is L7 if it has permissions; otherwise `action` decides. */
export interface Intention {
  readonly source: string;
  readonly destination: string;
  readonly action: 'allow' | 'deny';
  readonly permissions: readonly Permission[];
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
  const name = `the intention ${intention.source} -> ${intention.destination}`;
  if (intention.permissions.length === 0) {
    const isAllowed = intention.action === 'allow';
    return { isAllowed, reason: `${name} ${isAllowed ? 'allows' : 'denies'} everything` };
  }
  if (protocol === 'tcp') return { isAllowed: false, reason: `${name} is L7, but ${destination} speaks tcp` };
  const first = intention.permissions.find((permission) => matches(permission, call));
  if (first === undefined) {
    const known = intention.permissions.map(describe).join('; ');
    return { isAllowed: false, reason: `${name} has only ${known}` };
  }
  if (first.isUnverifiable)
    return { isAllowed: false, reason: `${name} requires a user's token, which the demo cannot verify` };
  const isAllowed = first.action === 'allow';
  return { isAllowed, reason: `${name} ${isAllowed ? 'allows' : 'denies'} ${describe(first)}` };
}

function find(intentions: readonly Intention[], source: string, destination: string): Intention | undefined {
  return intentions.find((each) => each.source === source && each.destination === destination);
}

function matches(permission: Permission, call: Call): boolean {
  const { methods, pathExact, pathPrefix, pathRegex, headers } = permission;
  return (
    (methods.length === 0 || methods.includes(call.method)) &&
    (pathExact === '' || call.path === pathExact) &&
    (pathPrefix === '' || call.path.startsWith(pathPrefix)) &&
    (pathRegex === '' || matchesWhole(pathRegex, call.path)) &&
    headers.every((rule) => matchesHeader(rule, call.headers[rule.name.toLowerCase()]))
  );
}

/** As in Envoy, a missing header matches no value, not even an inverted one. */
function matchesHeader(rule: HeaderRule, value: string | undefined): boolean {
  if (rule.isPresent) return (value !== undefined) !== rule.isInverted;
  if (value === undefined) return false;
  const fits =
    rule.exact !== ''
      ? value === rule.exact
      : rule.prefix !== ''
        ? value.startsWith(rule.prefix)
        : rule.suffix !== ''
          ? value.endsWith(rule.suffix)
          : matchesWhole(rule.regex, value);
  return fits !== rule.isInverted;
}

/** As in Envoy, the expression must match the whole text. An expression that only RE2 supports matches nothing here. */
function matchesWhole(expression: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${expression})$`, 'su').test(text);
  } catch {
    return false;
  }
}

function describe({ methods, pathExact, pathPrefix, pathRegex, headers }: Permission): string {
  const path =
    pathExact !== ''
      ? pathExact
      : pathPrefix !== ''
        ? `${pathPrefix}*`
        : pathRegex !== ''
          ? toPathText(pathRegex)
          : '';
  const parts = [methods.join(','), path, headers.length === 0 ? '' : 'with headers'];
  return parts.filter((part) => part !== '').join(' ') || 'everything';
}
