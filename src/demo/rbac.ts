/** One HTTP permission of a source, as Consul writes it. */
export interface Permission {
  readonly action: 'allow' | 'deny';
  /** What else it asks for, as a token of a user, that the stand-in cannot verify. */
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

/** One source of one destination's intentions; with permissions it is L7, else `action` decides. */
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
  /** In words, for the body of a 403. */
  readonly reason: string;
}

/**
 * What Envoy decides by Consul's intentions in a mesh that denies by default. Only the most exact intention counts
 * (precedence 9, 8, 6, 5: source -> destination, * -> destination, source -> *, * -> *). Of its permissions the first
 * that matches decides; if none does, the default does, and no wider intention. A tcp destination knows no L7.
 */
export function judge(call: Call, intentions: readonly Intention[], protocol: string): Verdict {
  const { source, destination } = call;
  const intention =
    find(intentions, source, destination) ??
    find(intentions, '*', destination) ??
    find(intentions, source, '*') ??
    find(intentions, '*', '*');
  if (intention === undefined)
    return { isAllowed: false, reason: `no intention lets ${source} call ${destination}` };
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
    return { isAllowed: false, reason: `${name} asks for a user's token, which the demo cannot verify` };
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

/** As in Envoy, a header that is missing fits no value, not even an inverted one. */
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

/** Envoy's RE2 matches the whole; an expression that only RE2 knows matches nothing here. */
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
          ? `~${pathRegex}`
          : '';
  const parts = [methods.join(','), path, headers.length === 0 ? '' : 'with headers'];
  return parts.filter((part) => part !== '').join(' ') || 'everything';
}
